// What a pool says about its own soundness while it is sound.
#include <algorithm>
#include <memory>

#include "tests/contract/block/suite.h"

namespace lockstep::test {
namespace {

using namespace block;  // NOLINT: the whole file is about it

TEST_P(BlockContract, AScrubOfASoundPoolReadsWhatItsVolumesShow) {
  const VolumeId a = Create(), b = Create();
  ASSERT_TRUE(Write(*Open(a), 0, 8, 1).ok());
  ASSERT_TRUE(Write(*Open(b), 3, 4, 2).ok());
  Take({a});
  ASSERT_TRUE(Write(*Open(a), 0, 2, 3).ok());
  const Result<ScrubReport> report = Await(pool_->Scrub({}));
  ASSERT_TRUE(report.ok()) << report.status().ToString();
  EXPECT_GE(report->blocks, 12u);
  EXPECT_GE(report->bytes_read, 12u * kBlockSize);
  EXPECT_EQ(report->bad, 0u);
  EXPECT_EQ(report->position, report->end);
}

TEST_P(BlockContract, AScrubThatIsStoppedSaysWhereToGoOn) {
  ASSERT_TRUE(Write(*Open(Create()), 0, 8, 1).ok());
  ScrubOptions options;
  options.go_on = [](const ScrubReport&) { return false; };
  const Result<ScrubReport> stopped = Await(pool_->Scrub(options));
  ASSERT_TRUE(stopped.ok()) << stopped.status().ToString();
  EXPECT_LT(stopped->position, stopped->end);
  EXPECT_LT(stopped->blocks, 8u);
  ScrubOptions rest;
  rest.from = stopped->position;
  const Result<ScrubReport> whole = Await(pool_->Scrub(rest));
  ASSERT_TRUE(whole.ok()) << whole.status().ToString();
  EXPECT_EQ(stopped->blocks + whole->blocks, 8u);
  EXPECT_EQ(whole->position, whole->end);
}

TEST_P(BlockContract, ACheckOfASoundPoolCountsItsBlocks) {
  const VolumeId id = Create();
  ASSERT_TRUE(Write(*Open(id), 0, 8, 1).ok());
  const Result<CheckReport> report = Await(pool_->Check());
  ASSERT_TRUE(report.ok()) << report.status().ToString();
  EXPECT_EQ(report->current, 8u);
  EXPECT_EQ(report->problems, std::vector<std::string>());
}

}  // namespace
}  // namespace lockstep::test
