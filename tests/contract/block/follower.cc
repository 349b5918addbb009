#include "tests/contract/block/follower.h"

#include <algorithm>
#include <cstring>

#include "base/checksum.h"

namespace lockstep::test {

using namespace block;  // NOLINT: the whole file is about it

Follower::Follower(BlockContract& test, std::vector<VolumeId> volumes, PointId base)
    : test_(test), volumes_(std::move(volumes)), set_(volumes_.begin(), volumes_.end()), base_(base) {
  upto_ = newest_ = test.pool_->Find(base)->position - 1;
  for (const VolumeId v : volumes_) images_[v] = ReadImage(test.OpenAt(base, v));
}

Status Follower::Open() {
  auto opened = test_.pool_->Changes(volumes_, upto_ + 1);
  LS_RETURN_IF_ERROR(opened.status());
  stream_ = std::move(*opened);
  durable_ = 0;
  return {};
}

Follower::Image Follower::ReadImage(const VolumePtr& volume) {
  return *test_.Read(*volume, 0, volume->size() / kBlock);
}

Status Follower::Pull() {
  const auto batch = test_.Await(stream_->Next());
  LS_RETURN_IF_ERROR(batch.status());
  Take(*batch);
  return {};
}

void Follower::Take(const ChangeBatch& batch) {
  EXPECT_TRUE(batch.upto > upto_ || batch.durable > durable_) << "an answer that says nothing";
  EXPECT_GE(batch.upto, upto_);
  EXPECT_GE(batch.durable, durable_);
  for (const StreamEvent& event : batch.events) {
    const SequenceNumber sequence = std::visit([](const auto& e) { return e.sequence; }, event);
    EXPECT_GT(sequence, newest_) << "out of order";
    EXPECT_LE(sequence, batch.upto);
    newest_ = sequence;
    std::visit([this](const auto& e) { Do(e); }, event);
  }
  upto_ = batch.upto;
  durable_ = batch.durable;
  stream_->Confirm(upto_);
}

void Follower::Do(const StreamWrite& write) {
  ++writes_;
  ASSERT_TRUE(set_.contains(write.volume));
  ASSERT_EQ(write.data.size(), write.crcs.size() * kBlock);
  for (size_t i = 0; i < write.crcs.size(); ++i)
    ASSERT_EQ(Crc32c(write.data.subspan(i * kBlock, kBlock)), write.crcs[i]);
  Image& image = images_.at(write.volume);
  ASSERT_LE(write.offset + write.data.size(), image.size());
  std::copy(write.data.begin(), write.data.end(), image.begin() + static_cast<ptrdiff_t>(write.offset));
}

void Follower::Do(const StreamHole& hole) {
  ++holes_;
  Image& image = images_.at(hole.volume);
  ASSERT_LE(hole.offset + hole.length, image.size());
  std::fill_n(image.begin() + static_cast<ptrdiff_t>(hole.offset), hole.length, std::byte{0});
}

void Follower::Do(const StreamStructure& structure) {
  ++structures_;
  ASSERT_FALSE(structure.changes.empty());
  for (const Change& change : structure.changes) {
    const auto* take = std::get_if<TakePoint>(&change);
    // What its transaction did before the point is in the base.
    if (!at_base_ || (take && take->point == base_)) std::visit([this](const auto& c) { Do(c); }, change);
    if (take && take->point == base_) at_base_ = false;
  }
}

void Follower::Do(const TakePoint& c) {
  for (const VolumeId v : c.volumes)
    if (set_.contains(v)) points_[c.point][v] = images_.at(v);
}
void Follower::Do(const Clone& c) {
  Image image = points_.at(c.point).at(c.source);
  if (c.size != 0) image.resize(c.size);
  images_[c.volume] = std::move(image);
}
void Follower::Do(const SetContent& c) {
  Image image = points_.at(c.point).at(c.source);
  image.resize(std::max(image.size(), images_.at(c.volume).size()));
  images_[c.volume] = std::move(image);
}

void Follower::CatchUp() {
  const SequenceNumber target = test_.pool_->Info().last;
  const Status flushed = test_.Await(test_.pool_->Flush());
  ASSERT_TRUE(flushed.ok()) << flushed.ToString();
  while (upto_ < target || durable_ < target) {
    const Status pulled = Pull();
    ASSERT_TRUE(pulled.ok()) << pulled.ToString();
    if (testing::Test::HasFailure()) return;
  }
}

void Follower::Compare() {
  for (const VolumeId v : volumes_) {
    const bool exists = test_.pool_->Find(v).ok();
    ASSERT_EQ(images_.contains(v), exists);
    if (!exists) continue;
    ASSERT_TRUE(images_.at(v) == ReadImage(test_.Open(v))) << "volume " << v.ToString() << " differs";
  }
}

}  // namespace lockstep::test
