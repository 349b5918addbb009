// The contract of io/disk.h, on every implementation, as far as it can be seen without a crash (tests/unit/sim covers
// those on the simulated disk).
#include <algorithm>
#include <cstring>
#include <map>
#include <vector>

#include "sim/random.h"
#include "tests/contract/io/backends.h"
#include "tests/support/aligned_memory.h"

namespace lockstep::contract {
namespace {

using Op = io::DiskRequest::Op;
constexpr uint64_t kBlock = 4096;

// One request of whole blocks in up to `pieces` buffers.
class Request {
 public:
  Request(Op op, uint64_t block, uint64_t count, uint64_t pieces = 1) : memory_(count * kBlock) {
    std::memset(memory_.data(), 0, memory_.size());
    request.op = op;
    request.offset = block * kBlock;
    request.length = count * kBlock;
    const uint64_t each = pieces == 0 ? count : (count + pieces - 1) / pieces;
    for (uint64_t at = 0; at < count; at += each)
      buffers_.push_back({this->block(at), std::min(each, count - at) * kBlock});
    if (op == Op::kRead || op == Op::kWrite) request.buffers = buffers_;
    request.context = this;
    request.done = [](io::DiskRequest& r) {
      auto& self = *static_cast<Request*>(r.context);
      ++self.calls;
      if (self.then) self.then();
    };
  }
  Request(const Request&) = delete;
  std::byte* block(uint64_t i) { return memory_.data() + i * kBlock; }
  void Fill(uint64_t i, uint8_t with) { std::memset(block(i), with, kBlock); }
  bool Holds(uint64_t i, uint8_t value) {
    return std::all_of(block(i), block(i) + kBlock, [&](std::byte b) { return b == std::byte(value); });
  }
  io::DiskRequest request;
  int calls = 0;
  std::function<void()> then;

 private:
  test::AlignedMemory memory_;
  std::vector<io::Buffer> buffers_;
};

class DiskContract : public ContractTest {
 protected:
  static constexpr uint64_t kBlocks = 4096;  // 16 MiB

  void SetUp() override {
    ContractTest::SetUp();
    if (!IsSkipped()) disk_ = std::move(env().OpenDisk(Path("disk"), kBlocks * kBlock)).value();
  }
  void TearDown() override {
    if (world_ != nullptr) OnLoop([&] { disk_.reset(); });
  }
  Status Do(Request& r) {
    OnLoop([&] {
      disk_->Submit(r.request);
      EXPECT_EQ(r.calls, 0) << "completed inside Submit";
    });
    EXPECT_TRUE(WaitFor([&] { return r.calls > 0; }));
    EXPECT_EQ(r.calls, 1);
    return r.request.status;
  }
  Status Do(Op op, uint64_t block, uint64_t count) {
    Request r(op, block, count);
    return Do(r);
  }
  void Reopen() {
    OnLoop([&] {
      disk_.reset();
      disk_ = std::move(env().OpenDisk(Path("disk"), 0)).value();
    });
  }
  std::unique_ptr<io::Disk> disk_;
};

TEST_P(DiskContract, HasTheSizeItWasMadeWith) {
  EXPECT_EQ(disk_->size(), kBlocks * kBlock);
  EXPECT_TRUE(disk_->block_size() == 512 || disk_->block_size() == 4096);
}

TEST_P(DiskContract, ReadsZeroesWhereNothingWasWritten) {
  Request r(Op::kRead, 7, 2);
  r.Fill(0, 1);
  ASSERT_TRUE(Do(r).ok());
  EXPECT_TRUE(r.Holds(0, 0) && r.Holds(1, 0));
}

TEST_P(DiskContract, ReadsWhatWasWrittenBeforeAndAfterAFlushAndAReopening) {
  Request write(Op::kWrite, 10, 3, 3), durable(Op::kWrite, 20, 1);
  for (uint8_t i = 0; i < 3; ++i) write.Fill(i, static_cast<uint8_t>(i + 1));
  durable.Fill(0, 9);
  durable.request.durable = true;
  ASSERT_TRUE(Do(write).ok());
  ASSERT_TRUE(Do(durable).ok());
  for (int round = 0; round < 3; ++round) {
    Request read(Op::kRead, 9, 5, 2), read_durable(Op::kRead, 20, 1);
    ASSERT_TRUE(Do(read).ok());
    ASSERT_TRUE(Do(read_durable).ok());
    EXPECT_TRUE(read.Holds(0, 0) && read.Holds(1, 1) && read.Holds(2, 2) && read.Holds(3, 3) && read.Holds(4, 0));
    EXPECT_TRUE(read_durable.Holds(0, 9));
    if (round == 0) {
      ASSERT_TRUE(Do(Op::kFlush, 0, 0).ok());
    }
    if (round == 1) Reopen();
  }
}

TEST_P(DiskContract, RefusesWhatIsBeyondTheEndOrMisaligned) {
  EXPECT_EQ(Do(Op::kRead, kBlocks, 1).code(), Code::kInvalidArgument);
  EXPECT_EQ(Do(Op::kWrite, kBlocks - 1, 2).code(), Code::kInvalidArgument);
  EXPECT_EQ(Do(Op::kDiscard, kBlocks - 1, 2).code(), Code::kInvalidArgument);
  EXPECT_EQ(Do(Op::kWrite, UINT64_MAX / kBlock, 1).code(), Code::kInvalidArgument);
  Request odd(Op::kWrite, 0, 1);
  odd.request.offset = 100;
  EXPECT_EQ(Do(odd).code(), Code::kInvalidArgument);
  Request mismatch(Op::kWrite, 0, 2);
  mismatch.request.length = kBlock;
  EXPECT_EQ(Do(mismatch).code(), Code::kInvalidArgument);
  Request untouched(Op::kRead, 0, 1);
  ASSERT_TRUE(Do(untouched).ok());
  EXPECT_TRUE(untouched.Holds(0, 0));
}

TEST_P(DiskContract, TakesRequestsOfNoBytesAndOfTheMostBuffers) {
  EXPECT_TRUE(Do(Op::kWrite, 0, 0).ok());
  EXPECT_TRUE(Do(Op::kDiscard, 0, 0).ok());
  Request many(Op::kWrite, 0, io::Disk::kMaxBuffers, io::Disk::kMaxBuffers);
  ASSERT_EQ(many.request.buffers.size(), io::Disk::kMaxBuffers);
  for (uint64_t i = 0; i < io::Disk::kMaxBuffers; ++i) many.Fill(i, static_cast<uint8_t>(i % 251));
  ASSERT_TRUE(Do(many).ok());
  Request read(Op::kRead, 0, io::Disk::kMaxBuffers);
  ASSERT_TRUE(Do(read).ok());
  for (uint64_t i = 0; i < io::Disk::kMaxBuffers; ++i) EXPECT_TRUE(read.Holds(i, static_cast<uint8_t>(i % 251))) << i;
}

TEST_P(DiskContract, DiscardsAndWritesAgain) {
  Request write(Op::kWrite, 0, 4), again(Op::kWrite, 1, 1), read(Op::kRead, 0, 4);
  for (uint64_t i = 0; i < 4; ++i) write.Fill(i, 5);
  again.Fill(0, 6);
  ASSERT_TRUE(Do(write).ok());
  ASSERT_TRUE(Do(Op::kDiscard, 1, 2).ok());
  ASSERT_TRUE(Do(again).ok());
  ASSERT_TRUE(Do(read).ok());
  EXPECT_TRUE(read.Holds(0, 5) && read.Holds(1, 6) && read.Holds(3, 5));
}

TEST_P(DiskContract, CompletesThousandsOfRequestsThatAreInFlightAtOnce) {
  constexpr uint64_t kMany = 2000;
  std::vector<std::unique_ptr<Request>> requests;
  uint64_t done = 0;
  for (uint64_t i = 0; i < kMany; ++i) {
    requests.push_back(std::make_unique<Request>(Op::kWrite, i, 1));
    requests.back()->Fill(0, static_cast<uint8_t>(i % 253));
    requests.back()->then = [&] { ++done; };
  }
  OnLoop([&] {
    for (auto& r : requests) disk_->Submit(r->request);
  });
  ASSERT_TRUE(WaitFor([&] { return done == kMany; }));
  for (auto& r : requests) ASSERT_TRUE(r->request.status.ok());
  Request read(Op::kRead, 0, kMany, 4);
  ASSERT_TRUE(Do(read).ok());
  for (uint64_t i = 0; i < kMany; ++i) ASSERT_TRUE(read.Holds(i, static_cast<uint8_t>(i % 253))) << i;
}

TEST_P(DiskContract, LetsACompletionSubmitItsRequestAgain) {
  Request r(Op::kWrite, 0, 1);
  r.then = [&] {
    if (r.calls < 100) disk_->Submit(r.request);
  };
  OnLoop([&] { disk_->Submit(r.request); });
  EXPECT_TRUE(WaitFor([&] { return r.calls == 100; }));
}

TEST_P(DiskContract, LetsTheLastCompletionDestroyTheRequestAndTheDisk) {
  auto r = std::make_unique<Request>(Op::kFlush, 0, 0);
  io::DiskRequest& request = r->request;
  r->then = [&] {
    disk_.reset();
    // The closure goes with the request, so it is kept until it has ended.
    auto keep = std::move(r);
    env().data_loop().Post([keep = std::move(keep)] {});
  };
  OnLoop([&] { disk_->Submit(request); });
  EXPECT_TRUE(WaitFor([&] { return disk_ == nullptr; }));
}

TEST_P(DiskContract, LearnsThatItsDeviceHasGrownWhenItIsAsked) {
  ASSERT_TRUE(Do(Op::kWrite, kBlocks - 1, 1).ok());
  world_->ResizeDisk(Path("disk"), 2 * kBlocks * kBlock);
  OnLoop([&] { EXPECT_EQ(disk_->size(), kBlocks * kBlock) << "fixed until somebody asks"; });
  EXPECT_EQ(Do(Op::kRead, kBlocks, 1).code(), Code::kInvalidArgument);
  OnLoop([&] {
    EXPECT_TRUE(disk_->RefreshSize().ok());
    EXPECT_EQ(disk_->size(), 2 * kBlocks * kBlock);
  });
  Request r(Op::kWrite, 2 * kBlocks - 1, 1);
  r.Fill(0, 3);
  ASSERT_TRUE(Do(r).ok());
  Request back(Op::kRead, 2 * kBlocks - 1, 1);
  ASSERT_TRUE(Do(back).ok());
  EXPECT_TRUE(back.Holds(0, 3));
  if (GetParam() == Backend::kSim) return;  // whose disks do not become smaller
  world_->ResizeDisk(Path("disk"), kBlocks * kBlock);
  OnLoop([&] {
    EXPECT_EQ(disk_->RefreshSize().code(), Code::kInvalidState);
    EXPECT_EQ(disk_->size(), 2 * kBlocks * kBlock);
  });
}

TEST_P(DiskContract, CanBeDestroyedWhenTheLastOfSeveralRequestsOfOneTurnHasEnded) {
  // Whatever they share, a system call for one, must not outlive them.
  std::vector<std::unique_ptr<Request>> reads;
  size_t done = 0;
  bool gone = false;
  const auto ended = [&] {
    if (++done < reads.size()) return;
    disk_.reset();
    gone = true;
  };
  for (uint64_t i = 0; i < 8; ++i) {
    reads.push_back(std::make_unique<Request>(Op::kRead, i, 1));
    reads.back()->then = ended;
  }
  Request first(Op::kRead, 9, 1);
  first.then = [&] {
    for (auto& r : reads) disk_->Submit(r->request);
  };
  OnLoop([&] { disk_->Submit(first.request); });
  ASSERT_TRUE(WaitFor([&] { return gone; }));
  OnLoop([] {});  // another turn of the loop
}

TEST_P(DiskContract, CanBeOpenedOnceAtATime) {
  EXPECT_EQ(env().OpenDisk(Path("disk"), 0).status().code(), Code::kInUse);
  EXPECT_EQ(env().OpenDisk(Path("missing"), 0).status().code(), Code::kNotFound);
  EXPECT_EQ(env().OpenDisk(Path("odd"), 5000).status().code(), Code::kInvalidArgument);
  EXPECT_EQ(env().OpenDisk(Path("odd"), 0).status().code(), Code::kNotFound);
}

// Random writes, reads, flushes and discards of a small range against an array, one at a time.
TEST_P(DiskContract, AgreesWithAnArrayOverARandomHistory) {
  const uint64_t seed = static_cast<uint64_t>(testing::UnitTest::GetInstance()->random_seed()) + 17;
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  sim::SimRandom random(seed);
  std::map<uint64_t, uint8_t> oracle;  // blocks of known content
  for (uint64_t i = 0; i < 64; ++i) oracle[i] = 0;
  for (int step = 0; step < 300; ++step) {
    const uint64_t block = random.Below(56), count = 1 + random.Below(8);
    switch (random.Below(8)) {
      case 0: ASSERT_TRUE(Do(Op::kFlush, 0, 0).ok()); break;
      case 1:
        ASSERT_TRUE(Do(Op::kDiscard, block, count).ok());
        for (uint64_t i = 0; i < count; ++i) oracle.erase(block + i);
        break;
      case 2:
      case 3:
      case 4: {
        Request w(Op::kWrite, block, count, 1 + random.Below(count));
        w.request.durable = random.OneIn(4);
        for (uint64_t i = 0; i < count; ++i) w.Fill(i, oracle[block + i] = static_cast<uint8_t>(random.Below(256)));
        ASSERT_TRUE(Do(w).ok());
        break;
      }
      default: {
        Request r(Op::kRead, block, count, 1 + random.Below(count));
        ASSERT_TRUE(Do(r).ok());
        for (uint64_t i = 0; i < count; ++i) {
          const auto known = oracle.find(block + i);
          if (known == oracle.end()) continue;
          ASSERT_TRUE(r.Holds(i, known->second)) << "block " << block + i << ", step " << step;
        }
      }
    }
  }
}

LS_CONTRACT_ON_ALL(DiskContract);

}  // namespace
}  // namespace lockstep::contract
