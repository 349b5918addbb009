// Opening a whole small pool that somebody has damaged: superblocks, batch headers (with checksums that are made right
// again), data, moved batches, and the files of the index. Whatever is there, opening ends, with a pool or with a
// sentence, and so does all that is then asked of the pool; nothing crashes or takes memory without bound.
//
// An input is a list of edits: kind, place (3 bytes), length, that many bytes.
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <optional>

#include "base/checksum.h"
#include "logstore/format.h"
#include "logstore/logstore.h"
#include "sim/env.h"
#include "tests/support/aligned_memory.h"

using namespace lockstep;  // NOLINT

namespace {

constexpr uint64_t kSegments = 10, kSegmentSize = 256 << 10;
constexpr uint64_t kDiskSize = (1 << 20) + kSegments * kSegmentSize;
constexpr uint64_t kVolumeBlocks = 48;

// The device and the index of a pool that has been used for a while.
struct Image {
  std::vector<std::byte> device;
  std::map<std::string, std::vector<std::byte>> index;
};

class Machine {
 public:
  Machine() : env_(7) {}

  template <typename T>
  T Await(Task<T> task) {
    std::optional<T> result;
    Spawn(std::move(task), [&result](T value) { result.emplace(std::move(value)); });
    const uint64_t end = env_.loop().closures_run() + 2'000'000;
    env_.loop().RunUntil([&] { return result.has_value() || env_.loop().closures_run() > end; });
    if (!result) std::abort();  // it never ends
    return std::move(*result);
  }
  Status Open() {
    auto disk = env_.OpenDisk("disk", 0);
    auto pool = Await(logstore::Open(std::move(*disk), "index", logstore::Options::Tiny(),
                                     {env_.loop(), env_.executor(), env_.files(), env_.random(), env_.log(),
                                      env_.clock(), &env_.background()}));
    if (!pool.ok()) return pool.status();
    pool_ = std::move(*pool);
    return {};
  }
  void Close() {
    auto closing = [](block::Pool& pool) -> Task<bool> {
      co_await pool.Close();
      co_return true;
    };
    Await(closing(*pool_));
    pool_.reset();
  }
  Status Do(block::Volume& volume, block::Request::Op op, uint64_t block, uint64_t count, uint8_t fill) {
    test::AlignedMemory memory(std::max<uint64_t>(1, count) * block::kBlockSize);
    std::memset(memory.data(), fill, memory.size());
    const io::Buffer buffer = memory.buffer();
    block::Request request;
    request.op = op;
    request.offset = block * block::kBlockSize;
    request.length = count * block::kBlockSize;
    if (op == block::Request::Op::kRead || op == block::Request::Op::kWrite) request.buffers = {&buffer, 1};
    auto run = [](block::Volume& v, block::Request& r) -> Task<Status> { co_return co_await block::Run(v, r); };
    return Await(run(volume, request));
  }

  sim::SimEnv env_;
  std::unique_ptr<block::Pool> pool_;
};

Image Build() {
  Machine m;
  sim::SimRandom random(11);
  m.env_.AddDisk("disk", kDiskSize);
  {
    auto disk = m.env_.OpenDisk("disk", 0);
    if (!m.Await(logstore::Format(**disk, {m.env_.random().NextUuid()}, {.segment_size = kSegmentSize})).ok())
      std::abort();
  }
  if (!m.Open().ok()) std::abort();
  const auto id = [&] { return m.env_.random().NextUuid(); };
  const block::VolumeId a{id()}, b{id()}, c{id()};
  const block::PointId p{id()};
  const uint64_t size = kVolumeBlocks * block::kBlockSize;
  const auto apply = [&](std::vector<block::Change> changes) {
    if (!m.Await(m.pool_->Apply({{id()}, std::move(changes)})).ok()) std::abort();
  };
  apply({block::CreateVolume{a, size}, block::CreateVolume{b, size}});
  auto va = *m.pool_->OpenVolume(a), vb = *m.pool_->OpenVolume(b);
  // Until the cleaner has moved something, so that there are moved batches.
  for (int i = 0; i < 4000 && m.pool_->Info().moved == 0; ++i) {
    block::Volume& volume = i % 3 == 0 ? *vb : *va;
    (void)m.Do(volume, block::Request::Op::kWrite, random.Below(kVolumeBlocks - 2), 1 + random.Below(2),
               static_cast<uint8_t>(1 + i % 250));
    if (i == 40) apply({block::TakePoint{p, {a, b}}, block::Clone{p, a, c, 0}});
    if (i % 50 == 0) (void)m.Do(volume, block::Request::Op::kDiscard, random.Below(20), 8, 0);
    if (i % 20 == 0) (void)m.Do(volume, block::Request::Op::kFlush, 0, 0, 0);
  }
  if (m.pool_->Info().moved == 0) std::abort();
  (void)m.Await(m.pool_->Flush());
  va.reset();
  vb.reset();
  m.Close();
  Image image;
  image.device.resize(kDiskSize);
  m.env_.media("disk")->Read(0, image.device);
  const auto names = m.env_.files().List("index");
  for (const std::string& name : *names) {
    auto file = m.env_.files().Open("index/" + name, io::FileSystem::Mode::kRead);
    std::vector<std::byte>& bytes = image.index[name];
    bytes.resize(*(*file)->Size());
    (void)(*file)->Read(0, bytes);
  }
  return image;
}

void FixSuperblock(std::span<std::byte> block) {
  const uint32_t crc = Crc32c(block.first(56));
  std::memcpy(block.data() + 56, &crc, 4);
}

// Blocks of the device where a batch header begins.
std::vector<uint64_t> Headers(const std::vector<std::byte>& device) {
  std::vector<uint64_t> found;
  for (uint64_t at = logstore::kDataOffset; at < device.size(); at += block::kBlockSize) {
    uint32_t magic;
    std::memcpy(&magic, device.data() + at, 4);
    if (magic == 0x3142534c || magic == 0x314d534c) found.push_back(at);
  }
  return found;
}

void Overwrite(std::span<std::byte> to, uint64_t at, std::span<const uint8_t> from) {
  for (size_t i = 0; i < from.size() && at + i < to.size(); ++i) to[at + i] = static_cast<std::byte>(from[i]);
}

void Edit(Image& image, const std::vector<uint64_t>& headers, uint8_t kind, uint32_t place,
          std::span<const uint8_t> bytes) {
  auto file = image.index.begin();
  if (!image.index.empty()) std::advance(file, place >> 16 & 0xff ? (place >> 16 & 0xff) % image.index.size() : 0);
  switch (kind % 8) {
    case 0:
    case 1: {  // a superblock, or both
      for (const uint64_t copy : {0, 1}) {
        const auto block = std::span(image.device).subspan(copy * block::kBlockSize, block::kBlockSize);
        if (kind % 8 == 1 && copy == 1) break;
        Overwrite(block, place % 64, bytes);
        FixSuperblock(block);
      }
      break;
    }
    case 2:
    case 3: {  // a header, its checksum made right
      if (headers.empty()) break;
      const uint64_t at = headers[place % headers.size()];
      const auto all = std::span(image.device).subspan(at);
      Overwrite(all.first(block::kBlockSize), (place >> 12) % 512, bytes);
      logstore::FixBatchChecksum(all.first(block::kBlockSize));
      break;
    }
    case 4: Overwrite(image.device, (place * uint64_t{64}) % kDiskSize, bytes); break;
    case 5:
      if (file != image.index.end()) Overwrite(file->second, place & 0xffff, bytes);
      break;
    case 6:
      if (file != image.index.end()) file->second.resize(std::min<size_t>(file->second.size(), place & 0xffff));
      break;
    default:
      if (bytes.size() > 2) image.index.clear();
      else if (file != image.index.end()) image.index.erase(file);
  }
}

void Try(const Image& image) {
  Machine m;
  sim::SimDiskMedia& media = m.env_.AddDisk("disk", kDiskSize);
  media.CompleteWrite(media.BeginWrite(0, image.device), true);
  if (!m.env_.files().CreateDirectory("index").ok()) std::abort();
  for (const auto& [name, bytes] : image.index) {
    auto file = m.env_.files().Open("index/" + name, io::FileSystem::Mode::kCreate);
    if (!bytes.empty() && !(*file)->Write(0, bytes).ok()) std::abort();
  }
  if (!m.Open().ok()) return;
  for (const block::VolumeInfo& v : m.pool_->Volumes()) {
    auto volume = m.pool_->OpenVolume(v.id);
    const uint64_t blocks = std::min<uint64_t>(v.size / block::kBlockSize, kVolumeBlocks);
    (void)m.Do(**volume, block::Request::Op::kRead, 0, blocks, 0);
    (void)m.Do(**volume, block::Request::Op::kWrite, 0, 1, 1);
  }
  for (const block::PointInfo& p : m.pool_->Points())
    for (const block::VolumeId& v : p.volumes)
      if (auto volume = m.pool_->OpenPoint(p.id, v); volume.ok())
        (void)m.Do(**volume, block::Request::Op::kRead, 0, 1, 0);
  (void)m.Await(m.pool_->Check());
  (void)m.Await(m.pool_->Scrub({}));
  m.Close();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const Image base = Build();
  static const std::vector<uint64_t> headers = Headers(base.device);
  Image image = base;
  for (size_t edits = 0; size != 0 && edits < 8; ++edits) {
    uint8_t head[5] = {};
    const size_t given = std::min<size_t>(size, sizeof head);
    std::memcpy(head, data, given);
    const size_t length = std::min<size_t>(head[4], size - given);
    Edit(image, headers, head[0], static_cast<uint32_t>(head[1] | head[2] << 8 | head[3] << 16),
         {data + given, length});
    data += given + length;
    size -= given + length;
  }
  Try(image);
  return 0;
}
