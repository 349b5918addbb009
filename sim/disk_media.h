// What a simulated disk keeps when the machine goes away: the stable bytes, and the volatile cache that a crash takes
// apart. It knows the durability rules of io/disk.h and nothing of requests or time.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "io/random.h"

namespace lockstep::sim {

// Sparse: costs memory for what was written only. Unwritten bytes read as zeroes. One thread.
class SimDiskMedia {
 public:
  using WriteId = uint64_t;

  // `size` is a multiple of 4096; `block_size` is 512 or 4096.
  SimDiskMedia(uint64_t size, uint32_t block_size);

  uint64_t size() const { return size_; }
  // Disks that are open learn of it by RefreshSize. A multiple of 4096, not less than before.
  void Grow(uint64_t size);
  uint32_t block_size() const { return block_size_; }

  // What a read sees now. False if a latent error lies in the range.
  bool Read(uint64_t offset, std::span<std::byte> to) const;

  // A write has arrived: until it is completed, a crash may keep any blocks of it though no read sees it.
  WriteId BeginWrite(uint64_t offset, std::vector<std::byte> data);
  void CompleteWrite(WriteId id, bool durable);
  // The write ends with an error: each of its blocks stays as it was or becomes new.
  void FailWrite(WriteId id, io::Random& random);

  // A flush that is submitted now covers what is completed now; pass this mark when it completes.
  uint64_t FlushMark() const { return last_completed_; }
  void CompleteFlush(uint64_t mark);
  // From now on no flush covers the writes up to `mark`.
  void FailFlush(uint64_t mark);

  // Each block in the range that was ever written becomes zero, garbage or stays, at once and for good.
  void Discard(uint64_t offset, uint64_t length, io::Random& random);

  // The power is gone: each block becomes what it was at the last flush that covered it, or any of the versions that
  // were written since, and that is then stable.
  void Crash(io::Random& random);

  // Reads of these bytes fail until they are rewritten.
  void AddReadError(uint64_t offset, uint64_t length);
  // All of them can be read again, and are what they were.
  void ForgetReadErrors() { read_errors_.clear(); }
  // Damages every byte of the range, silently. What is there counts as stable afterwards.
  void Corrupt(uint64_t offset, uint64_t length, io::Random& random);

  // For tests that look at the medium behind the disk's back: the stable bytes only.
  void ReadStable(uint64_t offset, std::span<std::byte> to) const;
  size_t unflushed_blocks() const { return unflushed_.size(); }
  uint64_t stored_bytes() const { return pages_.size() * kPage; }

 private:
  static constexpr uint64_t kPage = 4096;
  using Page = std::array<std::byte, kPage>;
  using Data = std::shared_ptr<const std::vector<std::byte>>;

  struct Write {
    uint64_t offset;
    Data data;
  };
  // One unflushed content of one block.
  struct Version {
    uint64_t completed;  // position in the order of completions
    bool unprotected;    // a flush that should have covered it failed
    Data data;
    uint64_t at;  // of the block, in *data
  };

  void StoreStable(uint64_t offset, std::span<const std::byte> from);
  void ApplyBlock(uint64_t block, Version version);
  void ClearReadErrors(uint64_t begin, uint64_t end);
  std::span<const std::byte> BlockOf(const Version& v) const { return std::span(*v.data).subspan(v.at, block_size_); }

  uint64_t size_;
  const uint32_t block_size_;
  std::map<uint64_t, std::unique_ptr<Page>> pages_;        // stable, by page number
  std::map<uint64_t, std::vector<Version>> unflushed_;     // by block number; oldest first, never empty
  std::map<WriteId, Write> in_flight_;
  std::vector<std::pair<uint64_t, uint64_t>> read_errors_;  // [begin, end)
  WriteId next_write_ = 1;
  uint64_t last_completed_ = 0;
};

}  // namespace lockstep::sim
