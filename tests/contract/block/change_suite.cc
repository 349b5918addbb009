// Change streams: everything that happens to the followed volumes comes, in order, once, and nothing else does.
#include <fmt/format.h>

#include "tests/contract/block/follower.h"

namespace lockstep::test {
namespace {

using namespace block;  // NOLINT: the whole file is about it
using Op = Request::Op;

TEST_P(BlockContract, AStreamBeginsAtThePointAndTellsEachWriteOnce) {
  const VolumeId a = Create(), other = Create();
  ASSERT_TRUE(Write(*Open(a), 0, 4, 1).ok());
  const PointId base = Take({a});
  ASSERT_TRUE(Write(*Open(a), 1, 2, 2).ok());
  ASSERT_TRUE(Write(*Open(other), 0, 8, 3).ok());
  ASSERT_TRUE(Clear(*Open(a), Op::kDiscard, 3, 1).ok());
  Follower follower(*this, {a}, base);
  ASSERT_TRUE(follower.Open().ok());
  follower.CatchUp();
  follower.Compare();
  EXPECT_EQ(follower.writes(), 1u);
  EXPECT_EQ(follower.holes(), 1u);
  EXPECT_EQ(follower.structures(), 1u);  // the base
  EXPECT_TRUE(follower.points().contains(base));
}

TEST_P(BlockContract, AStreamWaitsForEventsAndCanBeStopped) {
  const VolumeId a = Create();
  auto opened = pool_->Changes({a}, pool_->Info().last + 1);
  ASSERT_TRUE(opened.ok()) << opened.status().ToString();
  std::optional<Result<ChangeBatch>> answer;
  const auto next = [&] {
    answer.reset();
    Spawn((*opened)->Next(), [&answer](Result<ChangeBatch> r) { answer.emplace(std::move(r)); });
  };
  next();
  // The loop runs dry: nobody polls.
  ASSERT_FALSE(factory_->RunUntil([&answer] { return answer.has_value(); }));
  ASSERT_TRUE(Write(*Open(a), 5, 1, 7).ok());
  ASSERT_TRUE(factory_->RunUntil([&answer] { return answer.has_value(); }));
  ASSERT_TRUE(answer->ok());
  ASSERT_EQ((**answer).events.size(), 1u);
  const auto& write = std::get<StreamWrite>((**answer).events[0]);
  EXPECT_EQ(write.offset, 5 * kBlock);
  EXPECT_EQ(write.sequence, pool_->Info().last);

  while (true) {
    next();
    if (!factory_->RunUntil([&answer] { return answer.has_value(); })) break;
    ASSERT_TRUE(answer->ok() && (**answer).events.empty());  // it has become durable
  }
  (*opened)->Close();
  (*opened)->Close();
  ASSERT_TRUE(factory_->RunUntil([&answer] { return answer.has_value(); }));
  EXPECT_EQ(answer->status().code(), Code::kCancelled);
  next();
  ASSERT_TRUE(factory_->RunUntil([&answer] { return answer.has_value(); }));
  EXPECT_EQ(answer->status().code(), Code::kCancelled);
  opened->reset();
}

TEST_P(BlockContract, AStreamToldOfAFlushWhenNothingElseHappens) {
  const VolumeId a = Create();
  Follower follower(*this, {a}, Take({a}));
  ASSERT_TRUE(follower.Open().ok());
  ASSERT_TRUE(Write(*Open(a), 0, 1, 1).ok());
  while (follower.upto() < pool_->Info().last) ASSERT_TRUE(follower.Pull().ok());
  follower.CatchUp();  // ends only when the stream says that the write is durable
  EXPECT_EQ(follower.writes(), 1u);
}

TEST_P(BlockContract, AStreamThatCannotBeIsRefused) {
  const VolumeId a = Create();
  EXPECT_EQ(pool_->Changes({}, 1).status().code(), Code::kInvalidArgument);
  EXPECT_EQ(pool_->Changes({a}, pool_->Info().last + 2).status().code(), Code::kInvalidArgument);
}

TEST_P(BlockContract, AStreamInTheMiddleTellsTheRestOnly) {
  const VolumeId a = Create();
  const VolumePtr volume = Open(a);
  std::vector<SequenceNumber> at;
  for (uint64_t i = 0; i < 40; ++i) {
    ASSERT_TRUE(Write(*volume, i, 1, 100 + i).ok());
    at.push_back(pool_->Info().last);
  }
  for (const size_t middle : {0u, 1u, 17u, 38u, 39u}) {
    auto stream = pool_->Changes({a}, at[middle]);
    ASSERT_TRUE(stream.ok()) << stream.status().ToString();
    for (size_t i = middle; i < 40;) {
      const auto batch = Await((*stream)->Next());
      ASSERT_TRUE(batch.ok());
      for (const StreamEvent& event : batch->events) {
        const auto& write = std::get<StreamWrite>(event);
        EXPECT_EQ(write.sequence, at[i]);
        EXPECT_EQ(write.offset, i * kBlock);
        std::vector<std::byte> expected(kBlock);
        Paint(expected, i, 100 + i);
        EXPECT_TRUE(std::equal(expected.begin(), expected.end(), write.data.begin(), write.data.end()));
        ++i;
      }
    }
  }
}

TEST_P(BlockContract, AStreamTellsWhatTheBasesTransactionDidBehindThePoint) {
  const VolumeId a = Create();
  ASSERT_TRUE(Write(*Open(a), 0, 8, 1).ok());
  const PointId old = Take({a});
  ASSERT_TRUE(Write(*Open(a), 0, 8, 2).ok());
  const PointId base = NewPointId();
  ASSERT_TRUE(Apply({ResizeVolume{a, 2 * kVolumeBlocks * kBlock}, TakePoint{base, {a}}, SetContent{a, base, a},
                     ResizeVolume{a, 3 * kVolumeBlocks * kBlock}})
                  .ok());
  ASSERT_TRUE(Write(*Open(a), 3, 1, 3).ok());
  Follower follower(*this, {a}, base);
  ASSERT_TRUE(follower.Open().ok());
  follower.CatchUp();
  follower.Compare();
  // From the older one on, it follows through the newer.
  Follower earlier(*this, {a}, old);
  ASSERT_TRUE(earlier.Open().ok());
  earlier.CatchUp();
  earlier.Compare();
}

TEST_P(BlockContract, AStreamFollowsAVolumeThroughItsDeletion) {
  const VolumeId a = Create();
  ASSERT_TRUE(Write(*Open(a), 0, 8, 1).ok());
  const PointId base = Take({a});
  ASSERT_TRUE(Write(*Open(a), 4, 8, 2).ok());
  ASSERT_TRUE(Apply({DeleteVolume{a}}).ok());
  ASSERT_TRUE(Apply({Clone{base, a, a, 2 * kVolumeBlocks * kBlock}}).ok());
  ASSERT_TRUE(Write(*Open(a), kVolumeBlocks, 2, 3).ok());
  Follower follower(*this, {a}, base);
  ASSERT_TRUE(follower.Open().ok());
  follower.CatchUp();
  follower.Compare();
  EXPECT_EQ(follower.writes(), 2u);
  ASSERT_TRUE(Apply({DeleteVolume{a}}).ok());
  follower.CatchUp();
  follower.Compare();
}

TEST_P(BlockContract, AFollowerThatIsTooSlowIsToldAndGoesOnFromANewPoint) {
  constexpr uint64_t kBlocks = 256;
  const VolumeId a = Create(kBlocks);
  const PointId base = Take({a});
  Follower follower(*this, {a}, base);
  ASSERT_TRUE(follower.Open().ok());
  ASSERT_TRUE(Write(*Open(a), 0, 1, 1).ok());
  ASSERT_TRUE(follower.Pull().ok());
  // A little is no harm.
  for (uint64_t i = 0; i < 32; ++i) ASSERT_TRUE(Write(*Open(a), i, 2, 2 + i).ok());
  follower.CatchUp();
  follower.Compare();
  for (uint64_t i = 0; i < 80; ++i) ASSERT_TRUE(Write(*Open(a), 0, kBlocks, 100 + i).ok());
  EXPECT_EQ(follower.Pull().code(), Code::kInvalidState);
  EXPECT_EQ(follower.Pull().code(), Code::kInvalidState);
  follower.Close();
  EXPECT_EQ(follower.Open().code(), Code::kInvalidState);
  EXPECT_TRUE(Await(pool_->Diff(a, base, std::nullopt)).ok());
  Follower another(*this, {a}, Take({a}));
  ASSERT_TRUE(another.Open().ok());
  ASSERT_TRUE(Write(*Open(a), 9, 3, 999).ok());
  another.CatchUp();
  another.Compare();
}

// Copying up and replacing the content meet at every moment: copies that come too late belong to nobody.
TEST_P(BlockContract, AStreamTellsNoCopiesForContentThatHasBeenReplaced) {
  const VolumeId source = Create();
  ASSERT_TRUE(Write(*Open(source), 0, kVolumeBlocks, 1).ok());
  const PointId ones = Take({source});
  ASSERT_TRUE(Write(*Open(source), 0, kVolumeBlocks, 2).ok());
  const PointId twos = Take({source});
  const VolumeId clone = CloneOf(ones, source);
  const PointId base = Take({source, clone});
  Follower follower(*this, {source, clone}, base);
  follower.points()[ones][source] = follower.points()[twos][source] = {};
  for (const auto& [point, tag] : {std::pair(ones, 1), std::pair(twos, 2)}) {
    follower.points()[point][source].resize(kVolumeBlocks * kBlock);
    Paint(follower.points()[point][source], 0, static_cast<uint64_t>(tag));
  }
  ASSERT_TRUE(follower.Open().ok());
  for (int moment = 0; moment < 60; ++moment) {
    std::optional<Result<uint64_t>> copied;
    Spawn(pool_->CopyUp(clone, 0, kVolumeBlocks * kBlock), [&](Result<uint64_t> r) { copied.emplace(std::move(r)); });
    int turns = 0;
    factory_->RunUntil([&] { return turns++ >= moment; });
    ASSERT_TRUE(Apply({SetContent{clone, moment % 2 ? ones : twos, source}}).ok());
    ASSERT_TRUE(factory_->RunUntil([&copied] { return copied.has_value(); }));
    follower.CatchUp();
    follower.Compare();
    ASSERT_FALSE(HasFailure()) << "moment " << moment;
  }
}

// Three volumes that are followed and one that is not, through everything that can happen to them.
class FollowedHistory {
 public:
  explicit FollowedHistory(BlockContract& test) : t_(test), random_(test.random_) {
    for (int i = 0; i < 3; ++i) followed_.push_back(t_.Create(1 + random_.Below(kMaxBlocks)));
    other_ = t_.Create(kMaxBlocks);
    for (int i = 0; i < 20; ++i) DataStep();
    points_.push_back(t_.Take(followed_));
    base_ = points_[0];
  }
  const std::vector<VolumeId>& followed() const { return followed_; }
  PointId base() const { return base_; }

  void Step() {
    const uint64_t draw = random_.Below(40);
    const VolumeId v = followed_[random_.Below(followed_.size())];
    const VolumeId source = followed_[random_.Below(followed_.size())];
    const PointId point = points_[random_.Below(points_.size())];
    if (draw >= 9) return DataStep();
    if (draw == 0 && points_.size() < 6) {
      points_.push_back(t_.NewPointId());
      Must({TakePoint{points_.back(), {followed_[2], followed_[0], other_, followed_[1]}}});
    } else if (draw == 1 && points_.size() > 2) {
      Must({ReleasePoint{points_.back()}});
      points_.pop_back();
    } else if (draw == 2 || draw == 3) {
      Must({SetContent{v, point, source}});
    } else if (draw == 4) {
      Must({DeleteVolume{v}, Clone{point, source, v, 0}});
    } else if (draw == 5) {
      Must({ResizeVolume{v, t_.pool_->Find(v)->size + kBlock}, CreateVolume{t_.NewVolumeId(), kBlock}});
    } else if (draw == 6) {
      const auto copied = t_.Await(t_.pool_->CopyUp(v, 0, t_.pool_->Find(v)->size));
      ASSERT_TRUE(copied.ok()) << copied.status().ToString();
    } else if (draw == 7) {
      Must({DeleteVolume{v}, CreateVolume{v, (1 + random_.Below(kMaxBlocks)) * kBlock}});
    } else {
      ASSERT_TRUE(t_.Flush(*t_.Open(v)).ok());
    }
  }

  // Several writes at once, of followed volumes and of the other.
  void DataStep() {
    std::vector<std::unique_ptr<PendingWrite>> writes;
    for (uint64_t n = 1 + random_.Below(5); n > 0; --n) {
      const VolumeId v = random_.OneIn(4) ? other_ : followed_[random_.Below(followed_.size())];
      const uint64_t blocks = t_.pool_->Find(v)->size / kBlock, first = random_.Below(blocks);
      const uint64_t count = 1 + random_.Below(std::min<uint64_t>(blocks - first, 6));
      auto write = std::make_unique<PendingWrite>(first, count);
      BlockContract::Paint(write->memory.bytes(), first, 1 + random_.Below(1u << 30));
      if (random_.OneIn(5)) {
        write->request.op = random_.OneIn(2) ? Op::kDiscard : Op::kWriteZeroes;
        write->request.buffers = {};
      }
      const VolumePtr volume = t_.Open(v);
      volume->Submit(write->request);
      keep_.push_back(volume);
      writes.push_back(std::move(write));
    }
    for (const auto& write : writes) {
      ASSERT_TRUE(t_.factory_->RunUntil([&write] { return write->finished; }));
      ASSERT_TRUE(write->request.status.ok()) << write->request.status.ToString();
    }
    keep_.clear();
  }

 private:
  static constexpr uint64_t kMaxBlocks = 24;
  void Must(std::vector<Change> changes) {
    const Status applied = t_.Apply(std::move(changes));
    ASSERT_TRUE(applied.ok()) << applied.ToString();
  }
  BlockContract& t_;
  sim::SimRandom& random_;
  std::vector<VolumeId> followed_;
  std::vector<PointId> points_;
  std::vector<VolumePtr> keep_;
  VolumeId other_;
  PointId base_;
};

// The copy is the source at every flushed position, whenever the stream is read, left and taken up again.
TEST_P(BlockContract, FollowersOfRandomHistoriesHoldTheSame) {
  const uint64_t first_seed = seed_;
  for (uint64_t i = 0; i < 6; ++i) {
    Restart(first_seed + i);
    FollowedHistory history(*this);
    Follower follower(*this, history.followed(), history.base());
    ASSERT_TRUE(follower.Open().ok());
    for (int step = 1; step <= 250; ++step) {
      history.Step();
      const uint64_t draw = random_.Below(12);
      if (draw < 3 && follower.upto() < pool_->Info().last) {
        ASSERT_TRUE(follower.Pull().ok());
      }
      if (draw == 3) {
        follower.Close();
        ASSERT_TRUE(follower.Open().ok());
      }
      if (draw == 4 || step == 250) {
        follower.CatchUp();
        follower.Compare();
      }
      ASSERT_FALSE(HasFailure()) << "seed " << seed_ << ", step " << step;
    }
    EXPECT_GT(follower.writes(), 100u);
    EXPECT_GT(follower.structures(), 10u);
  }
}

TEST_P(BlockContract, AStreamGoesOnFromAPointAfterReopening) {
  FollowedHistory history(*this);
  Follower follower(*this, history.followed(), history.base());
  for (int life = 0; life < 4; ++life) {
    for (int step = 0; step < 12; ++step) history.Step();
    ASSERT_TRUE(Await(pool_->Flush()).ok());
    Reopen();
    const Status opened = follower.Open();
    ASSERT_TRUE(opened.ok()) << opened.ToString();
    for (int step = 0; step < 3; ++step) history.Step();
    follower.CatchUp();
    follower.Compare();
    ASSERT_FALSE(HasFailure()) << "seed " << seed_ << ", life " << life;
    follower.Close();
  }
}

}  // namespace
}  // namespace lockstep::test
