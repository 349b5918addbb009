// Labels of devices: what is written can be read, older versions too, and nothing else can.
#include "logstore/label.h"

#include <gtest/gtest.h>

#include <cstring>

#include "base/checksum.h"
#include "base/codec.h"

namespace lockstep::logstore {
namespace {

using LabelBytes = std::array<std::byte, kBlockSize>;
const block::PoolId kLabelPool{*Uuid::Parse("00112233-4455-6677-8899-aabbccddeeff")};
const DeviceId kFirstDevice{*Uuid::Parse("10000000-0000-4000-8000-000000000001")};
const DeviceId kOtherDevice{*Uuid::Parse("20000000-0000-4000-8000-000000000002")};

Label SomeLabel() {
  Label label;
  label.superblock = {kLabelPool, 64 << 20, 150, 7};
  label.device = kOtherDevice;
  label.compatible = 0x80;
  label.table = {9, {{kFirstDevice, true, {{0, 100}, {120, 30}}}, {kOtherDevice, false, {{100, 20}}}}};
  return label;
}

LabelBytes Encoded(const Label& label) {
  LabelBytes bytes;
  EncodeLabel(label, bytes);
  return bytes;
}

// As programs of these versions wrote it.
LabelBytes OldLabel(uint32_t version, uint32_t features, uint64_t least_index) {
  std::string out;
  Encoder e(out);
  e.Little(uint64_t{0x314c4f4f504c534c}).Little(version).Little(features).Bytes(kLabelPool.uuid.bytes);
  e.Little(uint64_t{4 << 20}).Little(uint32_t{40}).Little(kBlockSize);
  if (version > 1 || features != 0) e.Little(least_index);
  e.Little(Crc32c(std::as_bytes(std::span(out))));
  LabelBytes bytes{};
  std::memcpy(bytes.data(), out.data(), out.size());
  return bytes;
}

TEST(Label, RoundTripsAndRefusesAnyFlippedBit) {
  const LabelBytes bytes = Encoded(SomeLabel());
  const auto back = DecodeLabel(bytes);
  ASSERT_TRUE(back.ok()) << back.status().ToString();
  EXPECT_EQ(*back, SomeLabel());
  for (size_t bit = 0; bit < kBlockSize * 8; bit += bit < 256 * 8 ? 1 : 61) {
    LabelBytes damaged = bytes;
    damaged[bit / 8] ^= std::byte(1 << bit % 8);
    EXPECT_EQ(DecodeLabel(damaged).status().code(), Code::kCorrupted) << "bit " << bit;
  }
}

TEST(Label, OfOlderVersionsIsAPoolOfOneDevice) {
  struct Old {
    uint32_t version, features;
    uint64_t least;
  };
  for (const auto& [version, features, least] :
       {Old{1, 0, 0}, Old{1, 1, 5}, Old{2, 0, 0}, Old{2, 1, 6}, Old{3, 1, 7}}) {
    const auto label = DecodeLabel(OldLabel(version, features, least));
    ASSERT_TRUE(label.ok()) << version << ": " << label.status().ToString();
    EXPECT_EQ(label->version, version);
    EXPECT_EQ(label->superblock, (Superblock{kLabelPool, 4 << 20, 40, least}));
    EXPECT_EQ(label->table, SingleDevice(kLabelPool, 40));
    EXPECT_EQ(label->table.generation, 0u) << "so that any table that this program writes is newer";
    EXPECT_EQ(label->device, DeviceId{kLabelPool.uuid});
    EXPECT_TRUE(label->IsMember());
  }
}

TEST(Label, IsRefusedByOlderProgramsWithTheVersionAsTheReason) {
  // They look at the checksum of bytes 0 to 55 first, and then at the version.
  const LabelBytes bytes = Encoded(SomeLabel());
  uint32_t version, crc;
  std::memcpy(&version, bytes.data() + 8, 4);
  std::memcpy(&crc, bytes.data() + 56, 4);
  EXPECT_EQ(version, 4u);
  EXPECT_EQ(crc, Crc32c(std::span(bytes).first(56)));
}

TEST(Label, OfALaterVersionOrWithUnknownFeaturesIsRefusedClearly) {
  const auto with = [](size_t at, uint32_t value) {
    LabelBytes bytes = Encoded(SomeLabel());
    std::memcpy(bytes.data() + at, &value, 4);
    FixLabelChecksums(bytes);
    return DecodeLabel(bytes);
  };
  EXPECT_EQ(with(8, 5).status().code(), Code::kNotSupported);
  EXPECT_EQ(with(12, 1 | 1 << 20).status().code(), Code::kNotSupported) << "an incompatible feature";
  EXPECT_EQ(with(64, 1).status().code(), Code::kNotSupported) << "one with which nobody else may write";
  const auto compatible = with(60, 0xabc);
  ASSERT_TRUE(compatible.ok()) << "one that may be ignored";
  EXPECT_EQ(compatible->compatible, 0xabcu) << "and is kept";
}

TEST(Label, WithAnImpossibleTableIsRefused) {
  const auto refused = [](void (*change)(Label&)) {
    Label label = SomeLabel();
    change(label);
    return DecodeLabel(Encoded(label)).status().code() == Code::kCorrupted;
  };
  EXPECT_TRUE(refused([](Label& l) { l.table.devices[1].ranges[0].first = 90; })) << "two devices hold a segment";
  EXPECT_TRUE(refused([](Label& l) { l.table.devices[1].ranges[0].count = 0; }));
  EXPECT_TRUE(refused([](Label& l) { l.table.devices[1].ranges.clear(); }));
  EXPECT_TRUE(refused([](Label& l) { l.table.devices[1].id = kFirstDevice; }));
  EXPECT_TRUE(refused([](Label& l) { l.device = DeviceId{kLabelPool.uuid}; })) << "a member that is not in the table";
  EXPECT_TRUE(refused([](Label& l) { l.role = static_cast<Label::Role>(4); }));
  EXPECT_TRUE(refused([](Label& l) { l.table.devices[0].ranges[1].first = UINT32_MAX - 3; }));
  EXPECT_FALSE(refused([](Label& l) { l.role = Label::Role::kJoining, l.device = DeviceId{kLabelPool.uuid}; }));
}

TEST(Label, TakesTheLargestTableThatIsAllowed) {
  Label label = SomeLabel();
  label.table = {1, {}};
  for (uint32_t d = 0; d < kMaxDevices; ++d) {
    DeviceRecord device{kFirstDevice, false, {}};
    device.id.uuid.bytes[1] = static_cast<uint8_t>(d);
    for (uint32_t r = 0; r < kMaxRanges / kMaxDevices; ++r) device.ranges.push_back({(r * 64 + d) * 10, 5});
    label.table.devices.push_back(device);
  }
  label.device = label.table.devices[3].id;
  label.superblock.segment_count = label.table.end();
  const auto back = DecodeLabel(Encoded(label));
  ASSERT_TRUE(back.ok()) << back.status().ToString();
  EXPECT_EQ(*back, label);
}

TEST(DeviceTable, PlacesSegmentsInTheLowestGapThatTakesThem) {
  const DeviceTable table{1, {{kFirstDevice, false, {{0, 10}, {40, 10}}}, {kOtherDevice, false, {{15, 5}}}}};
  EXPECT_EQ(table.Place(5), (SegmentRange{10, 5}));
  EXPECT_EQ(table.Place(6), (SegmentRange{20, 6}));
  EXPECT_EQ(table.Place(20), (SegmentRange{20, 20}));
  EXPECT_EQ(table.Place(21), (SegmentRange{50, 21}));
  EXPECT_EQ(table.Place(uint64_t{1} << 40), (SegmentRange{50, kMaxSegments - 50})) << "no more than there are numbers";
}

}  // namespace
}  // namespace lockstep::logstore
