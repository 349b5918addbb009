// The encodings: what is written can be read, and nothing else can.
#include "logstore/format.h"

#include <gtest/gtest.h>

#include "logstore/map_record.h"
#include "logstore/structure.h"
#include "logstore/time_marks.h"
#include "sim/random.h"

namespace lockstep::logstore {
namespace {

const block::PoolId kPool{*Uuid::Parse("00112233-4455-6677-8899-aabbccddeeff")};

std::vector<std::byte> EncodedBatch(BatchHeader& h) {
  std::vector<std::byte> bytes(size_t{h.header_blocks()} * kBlockSize);
  EncodeBatchHeader(kPool, h, bytes);
  return bytes;
}

BatchHeader SomeBatch() {
  BatchHeader h;
  h.first = 77;
  h.epoch = 5;
  h.durable = 70;
  h.previous_crc = 9;
  h.next_segment = 3;
  h.entries = {
      {EntryType::kWrite, 1, 100, 2, 0}, {EntryType::kHole, 2, 5, 1000000, 0}, {EntryType::kTransaction, 0, 0, 1, 33}};
  h.block_crcs = {11, 22, 33};
  return h;
}

TEST(BatchHeader, RoundTrips) {
  BatchHeader h = SomeBatch();
  const auto bytes = EncodedBatch(h);
  ASSERT_EQ(*PeekHeaderBlocks(kPool, std::span(bytes).first<kBlockSize>()), 1u);
  const auto back = DecodeBatchHeader(kPool, bytes);
  ASSERT_TRUE(back.ok()) << back.status().ToString();
  EXPECT_EQ(back->first, 77u);
  EXPECT_EQ(back->epoch, 5u);
  EXPECT_EQ(back->durable, 70u);
  EXPECT_EQ(back->previous_crc, 9u);
  EXPECT_EQ(back->next_segment, 3u);
  EXPECT_EQ(back->crc, h.crc);
  ASSERT_EQ(back->entries.size(), 3u);
  EXPECT_EQ(back->entries[1].count, 1000000u);
  EXPECT_EQ(back->entries[2].bytes, 33u);
  EXPECT_EQ(back->block_crcs, h.block_crcs);
}

TEST(BatchHeader, RefusesAnyFlippedBitAndOtherPools) {
  BatchHeader h = SomeBatch();
  const auto bytes = EncodedBatch(h);
  for (size_t bit = 0; bit < bytes.size() * 8; bit += 7) {
    auto damaged = bytes;
    damaged[bit / 8] ^= std::byte(1 << bit % 8);
    EXPECT_FALSE(DecodeBatchHeader(kPool, damaged).ok()) << "bit " << bit;
  }
  EXPECT_FALSE(DecodeBatchHeader({*Uuid::Parse("00112233-4455-6677-8899-aabbccddee00")}, bytes).ok());
}

TEST(BatchHeader, TakesTheLargestBatch) {
  BatchHeader h;
  h.first = 1;
  for (uint32_t i = 0; i < kMaxEntriesPerBatch; ++i) h.entries.push_back({EntryType::kWrite, 1, i * 2, 2, 0});
  h.block_crcs.assign(kMaxBlocksPerBatch, 1);
  const auto bytes = EncodedBatch(h);
  EXPECT_EQ(bytes.size(), size_t{HeaderBlocks(kMaxEntriesPerBatch, kMaxBlocksPerBatch)} * kBlockSize);
  EXPECT_TRUE(DecodeBatchHeader(kPool, bytes).ok());
  EXPECT_FALSE(DecodeBatchHeader(kPool, std::span(bytes).first(bytes.size() - kBlockSize)).ok());
}

TEST(MapRecord, RoundTripsAnyChunk) {
  sim::SimRandom random(42);
  for (int round = 0; round < 2000; ++round) {
    ChunkVersions v = {};
    for (uint32_t i = 0; i < kChunkBlocks; ++i) {
      switch (random.Below(4)) {
        case 0:
          break;
        case 1:
          v[i] = {1 + random.Below(100), kHole, 0};
          break;
        case 2:
          if (i > 0 && v[i - 1].is_data())
            v[i] = {v[i - 1].birth, v[i - 1].location + 1, static_cast<uint32_t>(random.Next64())};
          break;
        default:
          v[i] = {1 + random.Next64() % 1000, 1 + random.Below(1ull << 47), static_cast<uint32_t>(random.Next64())};
      }
    }
    ChunkVersions back;
    ASSERT_TRUE(DecodeMapRecord(EncodeMapRecord(v), back).ok());
    ASSERT_EQ(back, v) << "round " << round;
  }
}

TEST(MapRecord, OfOneWriteIsSmall) {
  ChunkVersions v = {};
  for (uint32_t i = 0; i < kChunkBlocks; ++i) v[i] = {7, 1000 + i, i};
  EXPECT_EQ(EncodeMapRecord(v).size(), 79u);
  ChunkVersions one = {};
  one[3] = {7, 1000, 1};
  EXPECT_EQ(EncodeMapRecord(one).size(), 19u);
}

TEST(MapRecord, RefusesWhatIsCutShort) {
  ChunkVersions v = {};
  v[0] = {1, 2, 3};
  const std::string bytes = EncodeMapRecord(v);
  ChunkVersions to;
  for (size_t n = 1; n < bytes.size(); ++n)
    EXPECT_EQ(DecodeMapRecord(std::string_view(bytes).substr(0, n), to).code(), Code::kCorrupted);
}

block::Transaction Everything() {
  const auto id = [](uint8_t n) {
    Uuid u;
    u.bytes[0] = n;
    return u;
  };
  return {{id(1)},
          {block::CreateVolume{{id(2)}, 8192}, block::ResizeVolume{{id(2)}, 16384},
           block::TakePoint{{id(3)}, {{id(2)}}}, block::Clone{{id(3)}, {id(2)}, {id(4)}, 0},
           block::SetContent{{id(2)}, {id(3)}, {id(2)}}, block::DeleteVolume{{id(4)}}, block::ReleasePoint{{id(3)}}}};
}

TEST(Transaction, RoundTripsEveryChange) {
  const std::string bytes = EncodeTransaction({Everything(), {}});
  const auto back = DecodeTransaction(bytes);
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(EncodeTransaction(*back), bytes);
  for (size_t n = 0; n < bytes.size(); ++n) EXPECT_FALSE(DecodeTransaction(std::string_view(bytes).substr(0, n)).ok());
}

TEST(Transaction, TellsTheTimeAndWhatWindowsNeed) {
  block::Transaction t = Everything();
  const block::VolumeId volume{t.id.uuid};
  t.changes = {block::SetHistory{{volume}, {60, 1 << 20}}, block::TrimHistory{volume, 77, {5}},
               block::TakePoint{{t.id.uuid}, {volume}, 78}};
  const std::string bytes = EncodeTransaction({t, {1'234'567}});
  const auto back = DecodeTransaction(bytes);
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(back->time.us, 1'234'567);
  EXPECT_EQ(std::get<block::TrimHistory>(back->transaction.changes[1]).since.us, 5);
  EXPECT_EQ(std::get<block::TakePoint>(back->transaction.changes[2]).at, 78u);
  EXPECT_EQ(EncodeTransaction(*back), bytes);
  // One that only tells the time, and one that was written when nobody did.
  EXPECT_EQ(DecodeTransaction(EncodeTransaction({{}, {9}}))->time.us, 9);
  EXPECT_EQ(DecodeTransaction(EncodeTransaction({t, {}}))->time.us, 0);
}

TEST(Structure, RoundTripsAndForgetsNothing) {
  Structure s;
  auto t = Everything();
  t.changes.resize(4);  // a volume, its point and its clone stay
  ASSERT_TRUE(s.Validate(t, 9).ok());
  s.Apply(t, 10, {});
  const auto back = Structure::Decode(s.Encode());
  ASSERT_TRUE(back.ok()) << back.status().ToString();
  EXPECT_TRUE(back->WasApplied(t.id));
  EXPECT_EQ(back->volumes().size(), 2u);
  EXPECT_EQ(back->points().size(), 1u);
  const Layer& source = back->layer(back->Find(block::VolumeId{{2}})->top);
  EXPECT_EQ(source.retained, (std::vector<SequenceNumber>{10, 10}));  // by the point, and by the clone's layer
}

TEST(Structure, RoundTripsWindows) {
  Structure s;
  block::Transaction t = Everything();
  const block::VolumeId volume{std::get<block::CreateVolume>(t.changes[0]).volume};
  t.changes = {t.changes[0], block::SetHistory{{volume}, {60, 0}}};
  s.Apply(t, 10, {1'000'000});
  const block::PointId point{t.id.uuid};
  const auto apply = [&](uint8_t n, SequenceNumber at, std::vector<block::Change> changes) {
    block::Transaction next{{t.id}, std::move(changes)};
    next.id.uuid.bytes[1] = n;
    ASSERT_TRUE(s.Validate(next, at - 1).ok());
    s.Apply(next, at, {2'000'000});
  };
  apply(1, 20, {block::ResizeVolume{volume, 32768}});
  apply(2, 30, {block::TakePoint{point, {volume}, 15}, block::SetContent{volume, point, volume},
                block::ReleasePoint{point}});
  apply(3, 40, {block::TrimHistory{volume, 12, {1'500'000}}});
  const auto back = Structure::Decode(s.Encode());
  ASSERT_TRUE(back.ok()) << back.status().ToString();
  EXPECT_EQ(back->Encode(), s.Encode());
  const VolumeRecord& v = *back->Find(volume);
  EXPECT_EQ(v.history_from, 12u);
  EXPECT_EQ(v.history_since.us, 1'500'000);
  ASSERT_EQ(v.eras.size(), 3u);
  EXPECT_EQ(v.EraAt(19).size, 8192u);
  EXPECT_EQ(v.EraAt(29).size, 32768u);
  EXPECT_EQ(v.EraAt(30).layer, v.top);
  const Layer& old = back->layer(v.EraAt(12).layer);
  EXPECT_EQ(old.keep_from, 12u);
  EXPECT_EQ(old.keep_to, 29u);
  EXPECT_EQ(old.retained, (std::vector<SequenceNumber>{15}));
  EXPECT_TRUE(old.Retains(5, 13));
  EXPECT_FALSE(old.Retains(5, 12));
  EXPECT_TRUE(old.Retains(29, kNow));
  EXPECT_FALSE(old.Retains(30, kNow));
  // Cut short anywhere it is refused.
  const std::string bytes = s.Encode();
  for (size_t n = 0; n < bytes.size(); ++n) EXPECT_FALSE(Structure::Decode(std::string_view(bytes).substr(0, n)).ok());
}

TEST(TimeMarks, RoundTripInFewBytesAndNothingElseIsRead) {
  std::vector<TimeMark> marks;
  for (uint64_t i = 0; i < 1000; ++i)
    marks.push_back({{int64_t{1'800'000'000'000'000} - static_cast<int64_t>(i * 1'000'123)}, 90'000'000 - i * 777});
  marks.push_back({marks.back().time, marks.back().at});
  marks.push_back({{0}, 0});
  TimeMarkList list;
  for (const TimeMark& mark : marks) list.AddOlder(mark);
  EXPECT_LT(list.bytes().size(), marks.size() * 6);
  std::vector<TimeMark> back;
  const auto take = [&back](const TimeMark& mark) {
    back.push_back(mark);
    return Status();
  };
  ASSERT_TRUE(TimeMarkList(list.bytes()).ForEach(take).ok());
  EXPECT_EQ(back, marks);
  for (const size_t room : {0u, 20u, 100u, 100'000u}) {
    back.clear();
    const TimeMarkList newest = list.Newest(room);
    ASSERT_TRUE(newest.ForEach(take).ok());
    EXPECT_LE(newest.bytes().size(), room);
    EXPECT_GE(back.size(), std::min(marks.size(), room / TimeMarkList::kMostBytesOfOne));
    EXPECT_TRUE(std::equal(back.begin(), back.end(), marks.begin()));
  }
  const std::string& bytes = list.bytes();
  EXPECT_FALSE(TimeMarkList(bytes.substr(0, bytes.size() - 1)).ForEach(take).ok());
  std::string before_time_began = bytes;  // one more mark, a microsecond before zero
  before_time_began += std::string("\x01\x00", 2);
  EXPECT_EQ(TimeMarkList(before_time_began).ForEach(take).code(), Code::kCorrupted);
}

TEST(Structure, DropsALayerWhenNothingHoldsItAnyMore) {
  Structure s;
  s.Apply(Everything(), 10, {});
  EXPECT_EQ(s.volumes().size(), 1u);
  EXPECT_EQ(s.points().size(), 0u);
  // The volume was reverted to its own point: its new top layer still stands on the old one. The clone's layer is gone.
  EXPECT_EQ(s.layers().size(), 2u);
  EXPECT_EQ(s.to_sweep().dropped.size(), 1u);
  s.Apply({{*Uuid::Parse("00000000-0000-0000-0000-0000000000ff")}, {block::DeleteVolume{{{2}}}}}, 11, {});
  EXPECT_TRUE(s.layers().empty());
}

}  // namespace
}  // namespace lockstep::logstore
