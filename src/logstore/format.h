// The on-disk format of a pool's data devices: segments and batches. Pure encoding and decoding, no I/O; every
// decoder treats its input as hostile. docs/format/log.md is the same in prose with a worked example.
//
//   device   := superblock superblock-copy ... segment*       (label.h; segments start at kDataOffset)
//   segment  := batch*                                        (a batch never crosses a segment's end)
//   batch    := header-block+ data-block*                     (blocks of 4096 bytes)
//
// A segment belongs to the log, or to the cleaner: then its batches hold blocks that were moved out of other segments,
// each with the sequence number under which it was once written, and that which replaced it.
//
// All integers are little-endian.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/codec.h"
#include "base/status.h"
#include "block/types.h"

namespace lockstep::logstore {

using block::kBlockSize;
using block::SequenceNumber;

// 1 had no least_index; 1 and 2 had no anchor (anchor.h) and no deaths in batches of moved blocks; 1 to 3 had no table
// of devices (label.h). All are read, and become 4 when the pool is opened.
inline constexpr uint32_t kFormatVersion = 4;
inline constexpr uint64_t kDataOffset = 1 << 20;  // segments start here: room for what later versions keep in front
inline constexpr uint64_t kMinSegmentSize = 256 << 10;
inline constexpr uint64_t kMaxSegmentSize = uint64_t{1} << 30;
inline constexpr uint32_t kMaxSegments = 1u << 24;
inline constexpr uint32_t kNoSegment = UINT32_MAX;

// A layer holds the blocks that were written to a volume between two clonings or reverts; see structure.h.
using LayerId = uint32_t;

// What a pool is, apart from its devices: the part of a label (label.h) that everybody needs. Written when the pool is
// made, and before segments are freed.
struct Superblock {
  block::PoolId pool;
  uint64_t segment_size = 0;  // bytes, a power of two
  uint32_t segment_count = 0;  // behind the highest one; some numbers may be nobody's
  // Segments have been freed that an index of this number (Checkpoint::number) did not need any more, and may hold
  // something else now: an older index leads to the wrong blocks, and the log cannot be replayed from its beginning.
  // Durable before they are written over. 0: none was ever freed.
  uint64_t least_index = 0;
  bool operator==(const Superblock&) const = default;

  uint32_t segment_blocks() const { return static_cast<uint32_t>(segment_size / kBlockSize); }
  // The device block where a segment begins, and the segment of a device block. REQUIRES: both exist.
  uint64_t first_block(uint32_t segment) const {
    return kDataOffset / kBlockSize + uint64_t{segment} * segment_blocks();
  }
  uint32_t segment_of(uint64_t device_block) const {
    return static_cast<uint32_t>((device_block - kDataOffset / kBlockSize) / segment_blocks());
  }
};

// A place in the log: where the next batch is expected, and the chain that it must continue.
struct LogPosition {
  uint32_t segment = 0;
  uint32_t block = 0;         // within the segment
  uint32_t next_segment = 0;  // where the log goes on when nothing more fits here; kNoSegment: none was free
  uint32_t previous_crc = 0;  // the checksum of the batch before, 0 for the first of all
  SequenceNumber next = 1;    // the sequence number that its first entry carries
  bool operator==(const LogPosition&) const = default;
};
// In 24 bytes.
void PutPosition(Encoder& e, const LogPosition& position);
LogPosition GetPosition(Decoder& d);

enum class EntryType : uint8_t {
  kWrite = 1,        // `count` blocks of data for (layer, block...)
  kHole = 2,         // (layer, block...) read as zeroes from here on; no data
  kTransaction = 3,  // `bytes` of an encoded change of structure in `count` data blocks
};

// One entry of the log takes one sequence number. In a batch of moved blocks all entries are kWrite and have none of
// their own.
struct Entry {
  EntryType type = EntryType::kWrite;
  LayerId layer = 0;
  uint64_t block = 0;
  uint32_t count = 0;  // blocks
  uint32_t bytes = 0;  // kTransaction: of the payload
  uint32_t data_blocks() const { return type == EntryType::kHole ? 0 : count; }
};

inline constexpr uint32_t kMaxEntriesPerBatch = 512;
inline constexpr uint32_t kMaxBlocksPerEntry = 256;   // of data; holes may be longer
inline constexpr uint32_t kMaxBlocksPerBatch = 1024;  // of data
inline constexpr size_t kFixedHeaderSize = 64;
inline constexpr size_t kEntrySize = 24;

enum class BatchKind : uint8_t {
  kLog,
  kMoved,           // written by the cleaner, in a segment of its own: no part of the log
  kMovedNoDeaths,   // the same by version 2 and before; only read
};
// Blocks that the header of a batch with so many entries and data blocks takes.
constexpr uint32_t HeaderBlocks(uint32_t entries, uint32_t data_blocks, BatchKind kind = BatchKind::kLog) {
  const size_t numbers = kind == BatchKind::kLog ? 0 : kind == BatchKind::kMoved ? 2 : 1;
  const size_t bytes =
      kFixedHeaderSize + entries * (kEntrySize + numbers * sizeof(SequenceNumber)) + data_blocks * sizeof(uint32_t);
  return static_cast<uint32_t>((bytes + kBlockSize - 1) / kBlockSize);
}
inline constexpr uint32_t kMaxHeaderBlocks = HeaderBlocks(kMaxEntriesPerBatch, kMaxBlocksPerBatch, BatchKind::kMoved);

struct BatchHeader {
  BatchKind kind = BatchKind::kLog;
  // Sequence number of entries[0]. When moved: the map that said what lives knew of everything in the log before this
  // entry when the segment was begun, so nothing in the segment had died before it but what has a death.
  SequenceNumber first = 0;
  uint64_t epoch = 0;  // random per opening of the pool: two lives of it never write the same header
  // Everything up to here had been synced when this batch was written. When moved: the number of the last fold when the
  // segment was begun.
  SequenceNumber durable = 0;
  uint32_t previous_crc = 0;   // chain: the crc of the batch before; of the cleaner's, 0 for the first of its segment
  uint32_t next_segment = 0;
  uint32_t crc = 0;            // of this header, set by Encode and Decode
  std::vector<Entry> entries;  // none: the batch only says where the log goes on
  std::vector<SequenceNumber> births;  // when moved: of each entry, under which its blocks were once written
  std::vector<SequenceNumber> deaths;  // when kMoved: of each entry, what replaced its blocks; 0: nothing had
  std::vector<uint32_t> block_crcs;  // CRC-32C of each data block, in order

  uint32_t data_blocks() const { return static_cast<uint32_t>(block_crcs.size()); }
  uint32_t header_blocks() const { return HeaderBlocks(static_cast<uint32_t>(entries.size()), data_blocks(), kind); }
  uint32_t total_blocks() const { return header_blocks() + data_blocks(); }
  // Of the blocks of entries[i].
  SequenceNumber birth(size_t i) const { return moved() ? births[i] : first + i; }
  bool moved() const { return kind != BatchKind::kLog; }
};

// Fills `to`, header.header_blocks() * kBlockSize bytes, and sets header.crc. REQUIRES: within the limits above.
void EncodeBatchHeader(const block::PoolId& pool, BatchHeader& header, std::span<std::byte> to);

// Makes the checksum of an encoded header right again, for tools that build or repair one.
void FixBatchChecksum(std::span<std::byte> header);

// How many blocks the header that starts with this block takes; corrupted if it is no header of this pool. The block
// may still turn out bad when the whole header is decoded.
Result<uint32_t> PeekHeaderBlocks(const block::PoolId& pool, std::span<const std::byte, kBlockSize> first_block);
// `from` is exactly what PeekHeaderBlocks said. corrupted when checksum, counts or limits are wrong.
Result<BatchHeader> DecodeBatchHeader(const block::PoolId& pool, std::span<const std::byte> from);

}  // namespace lockstep::logstore
