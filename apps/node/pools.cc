#include "apps/node/pools.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <utility>

#include <fmt/format.h>

#include "apps/node/whole_file.h"
#include "base/units.h"
#include "logstore/logstore.h"
#include "logstore/memory.h"

namespace lockstep::node {

namespace {

using PoolResult = Result<std::shared_ptr<block::Pool>>;

constexpr int kTries = 20;  // to open a device that is in use
constexpr auto kBetweenTries = std::chrono::milliseconds(100);
constexpr uint64_t kLookedAt = kMiB;  // of a disk that a pool is about to be made on

struct FreeAligned {
  void operator()(std::byte* p) const { std::free(p); }
};

// co_await RunRequest(disk, request): submits and waits.
auto RunRequest(io::Disk& disk, io::DiskRequest& request) {
  struct Awaiter {
    io::Disk& disk;
    io::DiskRequest& request;
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> handle) {
      request.context = handle.address();
      request.done = [](io::DiskRequest& r) { std::coroutine_handle<>::from_address(r.context).resume(); };
      disk.Submit(request);
    }
    Status await_resume() const { return request.status; }
  };
  return Awaiter{disk, request};
}

// OK when the first MiB of the disk is all zeroes; in-use when it is not.
Task<Status> CheckEmpty(io::Disk& disk, std::string path) {
  const uint64_t length = std::min(kLookedAt, RoundDown(disk.size(), io::Disk::kMemoryAlignment));
  if (length == 0) co_return InvalidArgument(fmt::format("{} has no room for a pool: give a size", path));
  const std::unique_ptr<std::byte, FreeAligned> memory(
      static_cast<std::byte*>(std::aligned_alloc(io::Disk::kMemoryAlignment, length)));
  const std::array<io::Buffer, 1> buffers = {io::Buffer{memory.get(), length}};
  io::DiskRequest request;
  request.op = io::DiskRequest::Op::kRead;
  request.length = length;
  request.buffers = buffers;
  const Status read = co_await RunRequest(disk, request);
  if (!read.ok()) co_return read.WithContext(path);
  const bool empty = std::all_of(memory.get(), memory.get() + length, [](std::byte b) { return b == std::byte{0}; });
  if (empty) co_return Status::Ok();
  co_return InUse(fmt::format("{} holds something that a pool would destroy; if it may go, wipe its first MiB "
                              "(dd if=/dev/zero bs=1M count=1) and try again",
                              path));
}

}  // namespace

LogstorePools::LogstorePools(io::Env& env, std::string index_directory, std::vector<uint32_t> warn_used,
                             uint64_t memory)
    : env_(env), index_directory_(std::move(index_directory)) {
  options_.warn_used = std::move(warn_used);
  logstore::SetMemory(options_, memory);
}

Task<Result<std::unique_ptr<io::Disk>>> LogstorePools::OpenDisk(std::string path, uint64_t create_size) {
  Result<std::unique_ptr<io::Disk>> disk = Internal("the disk was not opened");
  auto open = [&] { disk = env_.OpenDisk(path, create_size); };
  co_await env_.executor().Call(env_.data_loop(), open);
  co_return std::move(disk);
}

Task<bool> LogstorePools::IsMissing(std::string path) {
  bool missing = false;
  auto look = [&] { missing = env_.files().Stat(path).status().code() == Code::kNotFound; };
  co_await env_.executor().Call(env_.data_loop(), look);
  co_return missing;
}

Task<void> LogstorePools::RemoveFile(std::string path) {
  auto remove = [&] {
    const Status removed = env_.files().Remove(path);
    if (!removed.ok()) env_.log().Warn("pool file {} stays behind: {}", path, removed.message());
  };
  co_await env_.executor().Call(env_.data_loop(), remove);
}

std::shared_ptr<block::Pool> LogstorePools::Share(std::unique_ptr<block::Pool> pool) {
  ++open_;
  // The last reference may be dropped on the control loop; the pool itself ends on its own.
  return {pool.release(), [this](block::Pool* last) {
            env_.data_loop().Post([this, last] { Spawn(Close(std::unique_ptr<block::Pool>(last))); });
          }};
}

Task<void> LogstorePools::Close(std::unique_ptr<block::Pool> pool) {
  const auto closing = closing_.insert(pool->id());
  co_await pool->Close();
  pool.reset();
  closing_.erase(closing);
  --open_;
  for (auto& go_on : std::exchange(closed_, {})) env_.data_loop().Post(std::move(go_on));
}

Task<void> LogstorePools::WaitForClosed() {
  co_await env_.data_loop().Switch();
  // What was dropped before has been posted before.
  co_await SuspendWith([this](auto resume) { env_.data_loop().Post(std::move(resume)); });
  while (open_ != 0) co_await NextClosed();
}

Task<void> LogstorePools::WaitForPool(block::PoolId pool) {
  co_await env_.data_loop().Switch();
  co_await SuspendWith([this](auto resume) { env_.data_loop().Post(std::move(resume)); });
  while (closing_.contains(pool)) co_await NextClosed();
}

Task<PoolResult> LogstorePools::OpenStore(logstore::Opening opening, std::string index_from) {
  block::PoolId id = opening.pool;
  Status none = InvalidArgument("a pool is opened by the paths of its devices");
  for (const logstore::DeviceFile& file : opening.devices) {
    if (!id.IsNil()) break;
    const auto there = co_await logstore::Identify(*file.disk);
    if (there.ok()) id = *there;
    else none = there.status().WithContext(file.path);
  }
  if (id.IsNil()) co_return none;
  opening.index_directory = IndexOf(id);
  if (!index_from.empty()) {
    Status copied = co_await CopyIndex(index_from, opening.index_directory);
    if (!copied.ok()) co_return copied;
  }
  const logstore::Seams seams{env_.data_loop(), env_.executor(), env_.files(), env_.random(), env_.log(),
                              env_.clock()};
  const std::string path = opening.devices.empty() ? "" : opening.devices.front().path;
  logstore::Options options = options_;
  if (listener_)
    options.on_bad_block = [listener = listener_, pool = id](const block::BadBlock& bad) { listener(pool, bad); };
  auto pool = co_await logstore::OpenDevices(std::move(opening), std::move(options), seams);
  if (!pool.ok()) co_return pool.status().WithContext(path);
  co_return Share(std::move(pool).value());
}

Task<Result<std::unique_ptr<io::Disk>>> LogstorePools::OpenBlank(std::string path, uint64_t size, bool may_join,
                                                                bool* made) {
  *made = false;
  if (size != 0) *made = co_await IsMissing(path);
  auto disk = co_await OpenDisk(path, size);
  if (!disk.ok()) co_return disk.status();
  Status status;
  if (size != 0 && !*made && (*disk)->size() != size) {
    status = AlreadyExists(fmt::format("{} is there already, with {} bytes; to take it whole, give no size", path,
                                       (*disk)->size()));
  }
  bool known = false;  // what a pool has left behind is not worth keeping
  if (status.ok()) {
    const auto there = co_await logstore::Identify(**disk);
    const bool joining = there.status().code() == Code::kInvalidState;
    if (joining && !may_join) status = there.status().WithContext(path);
    known = there.status().code() == Code::kNotFound || joining;
    if (there.ok()) status = AlreadyExists(fmt::format("{} is of pool {} already; take that in with `lockstep pool "
                                                       "import`", path, there->ToString()));
  }
  if (status.ok() && !known) status = co_await CheckEmpty(**disk, path);
  if (status.ok()) co_return std::move(disk).value();
  std::move(disk).value().reset();
  if (*made) co_await RemoveFile(path);
  co_return status;
}

Task<PoolResult> LogstorePools::Create(std::string path, uint64_t size, block::PoolId id) {
  bool made = false;
  auto disk = co_await OpenBlank(path, size, false, &made);
  if (!disk.ok()) co_return disk.status();
  const Status status = co_await logstore::Format(**disk, id, logstore::FormatOptions{});
  if (status.ok()) {
    logstore::Opening opening;
    opening.devices.push_back({path, std::move(disk).value()});
    opening.pool = id;
    co_return co_await OpenStore(std::move(opening), {});
  }
  std::move(disk).value().reset();
  if (made) co_await RemoveFile(std::move(path));
  co_return status;
}

Task<Result<std::unique_ptr<io::Disk>>> LogstorePools::OpenSoon(std::string path) {
  auto disk = co_await OpenDisk(path, 0);
  // After kill -9 the kernel may take a moment to let go of what the requests in flight held.
  for (int tries = 0; disk.status().code() == Code::kInUse && tries < kTries; ++tries) {
    co_await env_.data_loop().Switch();
    co_await env_.data_loop().Sleep(kBetweenTries);
    disk = co_await OpenDisk(path, 0);
  }
  co_return disk;
}

Task<PoolResult> LogstorePools::Open(control::PoolPlace place) {
  logstore::Opening opening;
  opening.pool = place.pool;
  opening.import = place.import;
  Status unopened;
  for (const std::string& path : place.paths) {
    auto disk = co_await OpenSoon(path);
    if (disk.ok()) opening.devices.push_back({path, std::move(disk).value()});
    else unopened = disk.status();
    // One that is not there may be none of the pool's; if it is, the pool says that it lacks it.
    if (!disk.ok() && disk.status().code() != Code::kNotFound) co_return unopened;
    if (!disk.ok()) env_.log().Warn("{}", unopened.message());
  }
  if (opening.devices.empty()) co_return unopened;
  co_return co_await OpenStore(std::move(opening), place.index);
}

Task<Result<std::unique_ptr<io::Disk>>> LogstorePools::OpenDevice(std::string path, uint64_t size) {
  bool made = false;
  co_return co_await OpenBlank(std::move(path), size, true, &made);
}

Task<Result<uint64_t>> LogstorePools::RoomOn(std::string path) {
  bool made = false;
  auto disk = co_await OpenBlank(path, 0, false, &made);
  if (!disk.ok()) co_return disk.status();
  const uint64_t room = logstore::RoomOn((*disk)->size());
  std::move(disk).value().reset();
  if (room == 0) co_return InvalidArgument(path + " is too small for a pool");
  co_return room;
}

// OK when it is none of the pool's, or not there.
Task<Status> LogstorePools::FreeDevice(std::string path, block::PoolId pool) {
  auto disk = co_await OpenSoon(path);
  if (disk.status().code() == Code::kNotFound) {
    env_.log().Warn("{}", disk.status().message());
    co_return Status::Ok();
  }
  if (!disk.ok()) co_return disk.status();
  const Status freed = co_await logstore::Unmake(**disk, pool);
  std::move(disk).value().reset();
  co_return freed.WithContext(path);
}

Task<Status> LogstorePools::Erase(block::PoolId pool, std::vector<std::string> paths) {
  co_await WaitForPool(pool);
  Status status;
  for (const std::string& path : paths) {
    const Status freed = co_await FreeDevice(path, pool);
    if (status.ok()) status = freed;
  }
  Status removed;
  auto remove = [&] {
    removed = RemoveWholeDirectory(env_.files(), IndexOf(pool));
    if (removed.ok()) removed = env_.files().SyncDirectory(index_directory_);
  };
  co_await env_.executor().Call(env_.data_loop(), remove);
  if (!removed.ok() && removed.code() != Code::kNotFound)
    env_.log().Warn("the index in {} stays behind: {}", IndexOf(pool), removed.message());
  co_return status;
}

Task<Status> LogstorePools::CopyIndex(std::string from, std::string to) {
  Status status;
  auto copy = [&] { status = CopyDirectory(env_.files(), from, to); };
  co_await env_.executor().Call(env_.data_loop(), copy);
  co_return status;
}

Task<Result<std::string>> LogstorePools::LeaveIndex(block::PoolId pool, std::string to) {
  co_await WaitForPool(pool);
  std::string from = IndexOf(pool);
  if (to.empty()) co_return from;
  const Status copied = co_await CopyIndex(from, to);
  if (!copied.ok()) co_return copied;
  Status removed;
  auto remove = [&] { removed = RemoveWholeDirectory(env_.files(), from); };
  co_await env_.executor().Call(env_.data_loop(), remove);
  if (!removed.ok()) env_.log().Warn("the index in {} stays behind: {}", from, removed.message());
  co_return to;
}

}  // namespace lockstep::node
