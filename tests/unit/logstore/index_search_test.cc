// Goal: an index in which a search that finds nothing goes through everything that was deleted behind the place: with
// thousands of dead layers side by side, each of them looked at through all the others.
#include <gtest/gtest.h>
#include <rocksdb/perf_context.h>
#include <rocksdb/perf_level.h>

#include "logstore/index.h"
#include "sim/env.h"

namespace lockstep::test {
namespace {

using logstore::ChunkKey;
using logstore::ChunkVersions;
using logstore::HistoryRecord;
using logstore::Index;
using logstore::LayerId;
using logstore::Version;

constexpr LayerId kLayers = 2000;
constexpr uint64_t kChunks = 3;

// Keys that searches have gone past because they were deleted, as RocksDB counts them on this thread.
class Skipped {
 public:
  Skipped() {
    rocksdb::SetPerfLevel(rocksdb::kEnableCount);
    rocksdb::get_perf_context()->Reset();
  }
  ~Skipped() { rocksdb::SetPerfLevel(rocksdb::kDisable); }
  uint64_t count() const { return rocksdb::get_perf_context()->internal_delete_skipped_count; }
};

class IndexSearch : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(env_.files().CreateDirectory("index").ok());
    auto index = Index::Open(env_.files(), "index", {1 << 20, 8 << 20, &env_.background()}, env_.log());
    ASSERT_TRUE(index.ok()) << index.status().ToString();
    index_ = std::move(*index);
    Index::Batch batch;
    for (LayerId layer = 1; layer <= kLayers; ++layer) Fill(batch, layer);
    ASSERT_TRUE(index_->Write(batch).ok());
  }
  static void Fill(Index::Batch& batch, LayerId layer) {
    ChunkVersions versions;
    versions[0] = {layer, uint64_t{layer} * 100, 1};
    for (uint64_t chunk = 0; chunk < kChunks; ++chunk) {
      batch.PutChunk({layer, chunk}, versions);
      batch.PutHistory(layer, chunk * logstore::kChunkBlocks, {layer, layer, 1}, layer + 1);
    }
    batch.PutLayer({layer, kChunks, layer, 0});
  }
  void DropEachLayerByItself() {
    for (LayerId layer = 1; layer <= kLayers; ++layer) {
      Index::Batch batch;
      batch.DropLayer(layer);
      ASSERT_TRUE(index_->Write(batch).ok());
    }
  }

  sim::SimEnv env_{1};
  std::unique_ptr<Index> index_;
};

TEST_F(IndexSearch, DroppingALayerDoesNotLookAtItsDeadNeighbours) {
  const Skipped skipped;
  DropEachLayerByItself();
  EXPECT_LT(skipped.count(), uint64_t{kLayers} * 2 * kChunks);
}

TEST_F(IndexSearch, LookingAtADeadLayerDoesNotLookAtItsDeadNeighbours) {
  DropEachLayerByItself();
  const auto none = [](auto&&...) { return true; };
  const Skipped skipped;
  for (LayerId layer = 1; layer <= kLayers; ++layer) {
    EXPECT_TRUE(index_->VisitCurrent(layer, none).ok());
    EXPECT_TRUE(index_->VisitHistory(layer, none).ok());
    EXPECT_TRUE(index_->ShortcutChunks(layer, 0, UINT64_MAX >> 24, 10)->empty());
    EXPECT_TRUE(index_->Chunks(layer, 0, UINT64_MAX >> 24, 10)->empty());
    EXPECT_TRUE(index_->HistoryByDeath({layer, 0, 0, 0, UINT64_MAX >> 1}, 10)->empty());
  }
  EXPECT_LT(skipped.count(), uint64_t{kLayers} * 10 * kChunks);
}

TEST_F(IndexSearch, ReadingAPastPositionDoesNotLookAtDeadNeighbours) {
  DropEachLayerByItself();
  const Skipped skipped;
  for (LayerId layer = 1; layer <= kLayers; ++layer) {
    ChunkVersions versions;
    uint16_t wanted = 1;
    ASSERT_TRUE(index_->Lookup({layer, 0}, 1, Index::Tier::kDisk, wanted, versions).ok());
    EXPECT_EQ(wanted, 1);
  }
  EXPECT_LT(skipped.count(), uint64_t{kLayers} * 4 * kChunks);
}

}  // namespace
}  // namespace lockstep::test
