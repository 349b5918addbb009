// What stands in blocks 0 and 1 of every device of a pool: which pool it belongs to, which of its devices it is, and
// the table of all of them. Pure encoding and decoding; docs/format/log.md says the same in prose.
//
// Segments of a pool have one space of numbers, and so have its blocks: block kDataOffset / kBlockSize + n is block n
// of the segments in the order of their numbers. The table says which device holds which segments. On a device its
// segments lie one behind the other from kDataOffset on, in the order of its ranges.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "logstore/format.h"

namespace lockstep::logstore {

using block::DeviceId;

inline constexpr size_t kMaxDevices = 64;
inline constexpr size_t kMaxRanges = 192;  // of all devices together

struct SegmentRange {
  uint32_t first = 0, count = 0;
  uint32_t end() const { return first + count; }
  bool operator==(const SegmentRange&) const = default;
};

struct DeviceRecord {
  DeviceId id;
  bool draining = false;             // it is being emptied: nothing new is written there
  std::vector<SegmentRange> ranges;  // in the order in which they lie on the device
  uint64_t segments() const;
  bool operator==(const DeviceRecord&) const = default;
};

struct DeviceTable {
  uint64_t generation = 0;  // counts the changes of the table; 0: of a version that had none
  std::vector<DeviceRecord> devices;

  const DeviceRecord* Find(DeviceId id) const;
  // Behind the highest segment.
  uint32_t end() const;
  uint64_t segments() const;
  // Room for at most `wanted` segments in the space of numbers, in one piece: the lowest gap that takes them all, or
  // behind the end.
  SegmentRange Place(uint64_t wanted) const;
  bool operator==(const DeviceTable&) const = default;
};

struct Label {
  // What this device is to the pool. Joining: it will be one of it as soon as another device's table says so.
  enum class Role : uint8_t { kMember = 1, kJoining = 2, kRemoved = 3 };
  // Of superblock, segment_count is table.end().
  Superblock superblock;
  uint32_t version = kFormatVersion;  // that it was read in
  DeviceId device;                    // this one
  Role role = Role::kMember;
  bool exported = false;              // the pool was taken leave of, to be imported elsewhere
  uint32_t compatible = 0;            // features that a program may ignore; kept when the label is written again
  DeviceTable table;
  bool operator==(const Label&) const = default;

  // The device is one of the pool by its own word.
  bool IsMember() const { return role == Role::kMember; }
  // Of two labels of one device, or of two devices of one pool, the one that counts. Whatever changes but
  // Superblock::least_index comes with a new generation.
  bool NewerThan(const Label& other) const;
};

// One device with the pool's own id that holds all `segments`: what a new pool has, and what versions 1 to 3 were.
DeviceTable SingleDevice(const block::PoolId& pool, uint32_t segments);

// Always in the present version. REQUIRES: at most kMaxDevices and kMaxRanges.
void EncodeLabel(const Label& label, std::span<std::byte, kBlockSize> to);
// Makes the checksums of an encoded label right again, for tools that build or repair one.
void FixLabelChecksums(std::span<std::byte, kBlockSize> label);
// Versions 1 to 4; of 1 to 3 the table is SingleDevice, of generation 0. corrupted: not ours or damaged;
// not-supported: of a later version, or with features that this program does not know.
Result<Label> DecodeLabel(std::span<const std::byte, kBlockSize> from);

}  // namespace lockstep::logstore
