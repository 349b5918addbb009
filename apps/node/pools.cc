#include "apps/node/pools.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <utility>

#include <fmt/format.h>

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

Task<PoolResult> LogstorePools::OpenStore(std::string path, std::unique_ptr<io::Disk> disk) {
  const auto id = co_await logstore::Identify(*disk);
  if (!id.ok()) co_return id.status().WithContext(path);
  logstore::Seams seams{env_.data_loop(), env_.executor(), env_.files(), env_.random(), env_.log(),
                        env_.clock()};
  std::string index = index_directory_ + "/" + id->ToString();
  logstore::Options options = options_;
  if (listener_)
    options.on_bad_block = [listener = listener_, pool = *id](const block::BadBlock& bad) { listener(pool, bad); };
  auto pool = co_await logstore::Open(std::move(disk), std::move(index), std::move(options), seams);
  if (!pool.ok()) co_return pool.status().WithContext(path);
  // The last reference may be dropped on the control loop; the pool itself ends on its own.
  io::Loop& loop = env_.data_loop();
  co_return std::shared_ptr<block::Pool>(std::move(pool).value().release(), [&loop](block::Pool* last) {
    if (loop.IsCurrent()) delete last;
    else loop.Post([last] { delete last; });
  });
}

Task<PoolResult> LogstorePools::Create(std::string path, uint64_t size, block::PoolId id) {
  bool made = false;
  if (size != 0) made = co_await IsMissing(path);
  auto disk = co_await OpenDisk(path, size);
  if (!disk.ok()) co_return disk.status();
  Status status;
  if (size != 0 && !made && (*disk)->size() != size) {
    status = AlreadyExists(fmt::format("{} is there already, with {} bytes; to take it whole, give no size", path,
                                       (*disk)->size()));
  }
  if (status.ok()) {
    const auto there = co_await logstore::Identify(**disk);
    if (there.ok()) status = AlreadyExists(fmt::format("{} is the pool {} already; take it in with `add`", path,
                                                       there->ToString()));
  }
  if (status.ok()) status = co_await CheckEmpty(**disk, path);
  if (status.ok()) status = co_await logstore::Format(**disk, id, logstore::FormatOptions{});
  if (status.ok()) co_return co_await OpenStore(std::move(path), std::move(disk).value());
  std::move(disk).value().reset();
  if (made) co_await RemoveFile(std::move(path));
  co_return status;
}

Task<PoolResult> LogstorePools::Open(std::string path) {
  auto disk = co_await OpenDisk(path, 0);
  // After kill -9 the kernel may take a moment to let go of what the requests in flight held.
  for (int tries = 0; disk.status().code() == Code::kInUse && tries < kTries; ++tries) {
    co_await env_.data_loop().Switch();
    co_await env_.data_loop().Sleep(kBetweenTries);
    disk = co_await OpenDisk(path, 0);
  }
  if (!disk.ok()) co_return disk.status();
  co_return co_await OpenStore(std::move(path), std::move(disk).value());
}

}  // namespace lockstep::node
