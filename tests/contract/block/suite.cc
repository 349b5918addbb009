#include "tests/contract/block/suite.h"

#include <cstring>
#include <iostream>

#include <fmt/format.h>

#include "base/checksum.h"

namespace lockstep::test {

using namespace block;  // NOLINT: the whole file is about it

void BlockContract::SetUp() {
  const auto* info = testing::UnitTest::GetInstance()->current_test_info();
  const std::string name = info->name();
  // Fixed per test, so that a failure comes again; distinct between tests.
  Restart(Crc32c(std::as_bytes(std::span(name.data(), name.size()))));
}

void BlockContract::Restart(uint64_t seed) {
  std::cout << "seed " << seed << "\n";
  ClosePool();
  factory_.reset();
  seed_ = seed;
  random_ = sim::SimRandom(seed);
  factory_ = GetParam().make(seed);
  pool_ = factory_->Create(kPoolSize);
  ASSERT_NE(pool_, nullptr);
}

void BlockContract::TearDown() {
  ClosePool();
  factory_.reset();
}

Status BlockContract::Execute(Volume& volume, Request& request) {
  bool finished = false;
  request.context = &finished;
  request.done = [](Request& r) { *static_cast<bool*>(r.context) = true; };
  volume.Submit(request);
  EXPECT_FALSE(finished) << "done was called inside Submit";
  EXPECT_TRUE(factory_->RunUntil([&finished] { return finished; })) << "a request was never completed";
  return request.status;
}

Status BlockContract::Apply(std::vector<Change> changes) {
  return Await(pool_->Apply({{random_.NextUuid()}, std::move(changes)}));
}

VolumeId BlockContract::Create(uint64_t blocks) {
  const VolumeId id = NewVolumeId();
  const Status status = Apply({CreateVolume{id, blocks * kBlock}});
  EXPECT_TRUE(status.ok()) << status.ToString();
  return id;
}

PointId BlockContract::Take(std::vector<VolumeId> volumes) {
  const PointId id = NewPointId();
  const Status status = Apply({TakePoint{id, std::move(volumes)}});
  EXPECT_TRUE(status.ok()) << status.ToString();
  return id;
}

VolumeId BlockContract::CloneOf(PointId point, VolumeId source) {
  const VolumeId id = NewVolumeId();
  const Status status = Apply({Clone{point, source, id, 0}});
  EXPECT_TRUE(status.ok()) << status.ToString();
  return id;
}

VolumePtr BlockContract::Open(VolumeId volume) {
  auto opened = pool_->OpenVolume(volume);
  EXPECT_TRUE(opened.ok()) << opened.status().ToString();
  return opened.ok() ? *opened : nullptr;
}

VolumePtr BlockContract::OpenAt(PointId point, VolumeId volume) {
  auto opened = pool_->OpenPoint(point, volume);
  EXPECT_TRUE(opened.ok()) << opened.status().ToString();
  return opened.ok() ? *opened : nullptr;
}

uint64_t BlockContract::UsedBy(block::VolumeId volume) {
  EXPECT_TRUE(Await(pool_->Flush()).ok());
  return pool_->Find(volume)->used;
}

void BlockContract::ClosePool() {
  if (!pool_) return;
  bool closed = false;
  Spawn([](block::Pool& pool, bool& done) -> Task<void> {
    co_await pool.Close();
    done = true;
  }(*pool_, closed));
  LS_ASSERT(factory_->RunUntil([&closed] { return closed; }));
  pool_.reset();
}

void BlockContract::Reopen() {
  ClosePool();
  pool_ = factory_->Reopen();
  ASSERT_NE(pool_, nullptr);
}

void BlockContract::Paint(std::span<std::byte> to, uint64_t first_block, uint64_t tag) {
  for (size_t at = 0; at < to.size(); at += sizeof(uint64_t)) {
    const uint64_t block = first_block + at / kBlock;
    const uint64_t word = tag == 0 ? 0 : tag * 0x9e3779b97f4a7c15ull + block * 0x100000001ull + at % kBlock;
    std::memcpy(to.data() + at, &word, sizeof word);
  }
}

Status BlockContract::Write(Volume& volume, uint64_t first, uint64_t count, uint64_t tag, bool fua) {
  AlignedMemory memory(count * kBlock);
  Paint(memory.bytes(), first, tag);
  const io::Buffer buffer = memory.buffer();
  Request request;
  request.op = Request::Op::kWrite;
  request.fua = fua;
  request.offset = first * kBlock;
  request.length = count * kBlock;
  request.buffers = {&buffer, 1};
  return Execute(volume, request);
}

Status BlockContract::Clear(Volume& volume, Request::Op op, uint64_t first, uint64_t count) {
  Request request;
  request.op = op;
  request.offset = first * kBlock;
  request.length = count * kBlock;
  return Execute(volume, request);
}

Status BlockContract::Flush(Volume& volume) {
  Request request;
  request.op = Request::Op::kFlush;
  return Execute(volume, request);
}

Result<std::vector<std::byte>> BlockContract::Read(Volume& volume, uint64_t first, uint64_t count) {
  AlignedMemory memory(count * kBlock);
  std::memset(memory.data(), 0xa5, memory.size());
  const io::Buffer buffer = memory.buffer();
  Request request;
  request.op = Request::Op::kRead;
  request.offset = first * kBlock;
  request.length = count * kBlock;
  request.buffers = {&buffer, 1};
  LS_RETURN_IF_ERROR(Execute(volume, request));
  return std::vector<std::byte>(memory.data(), memory.data() + memory.size());
}

testing::AssertionResult BlockContract::Holds(Volume& volume, uint64_t first, uint64_t count, uint64_t tag) {
  const auto data = Read(volume, first, count);
  if (!data.ok()) return testing::AssertionFailure() << data.status().ToString();
  std::vector<std::byte> expected(kBlock);
  for (uint64_t i = 0; i < count; ++i) {
    Paint(expected, first + i, tag);
    if (std::memcmp(expected.data(), data->data() + i * kBlock, kBlock) != 0) {
      return testing::AssertionFailure() << "block " << first + i << " does not hold tag " << tag;
    }
  }
  return testing::AssertionSuccess();
}

testing::AssertionResult BlockContract::VolumeHolds(VolumeId id, uint64_t first, uint64_t count, uint64_t tag) {
  const VolumePtr volume = Open(id);
  if (volume == nullptr) return testing::AssertionFailure() << "the volume does not open";
  return Holds(*volume, first, count, tag);
}

testing::AssertionResult BlockContract::PointHolds(PointId point, VolumeId id, uint64_t first, uint64_t tag) {
  const VolumePtr volume = OpenAt(point, id);
  if (volume == nullptr) return testing::AssertionFailure() << "the point does not open";
  return Holds(*volume, first, 1, tag);
}

std::string BlockContract::Picture(const Pool& pool) {
  std::string text;
  for (const VolumeInfo& v : pool.Volumes()) text += fmt::format("volume {} {}\n", v.id.ToString(), v.size);
  for (const PointInfo& p : pool.Points()) {
    text += fmt::format("point {}:", p.id.ToString());
    for (const VolumeId v : p.volumes) text += " " + v.ToString();
    text += "\n";
  }
  return text;
}

}  // namespace lockstep::test
