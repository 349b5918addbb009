#include "logstore/read_path.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "base/checksum.h"
#include "logstore/pool.h"
#include "logstore/view.h"

namespace lockstep::logstore {

struct ReadPath::Op {
  ReadPath* path = nullptr;
  block::Request* request = nullptr;
  block::VolumeId volume;
  LayerId layer = kNoLayer;
  SequenceNumber at = kNow;
  uint64_t generation = 0;

  // A stretch of device blocks that goes into consecutive blocks of the request.
  struct Run {
    uint64_t location;
    uint32_t blocks;
    uint32_t first_buffer, buffer_count;
  };
  struct Check {
    const std::byte* data;
    uint64_t block, location;
    uint32_t crc;
  };
  std::vector<Run> runs;
  std::vector<io::Buffer> buffers;
  std::vector<Check> checks;
  std::vector<io::DiskRequest> disk;
  uint32_t outstanding = 0;
  Status status;

  // While the index is asked on an executor.
  int attempt = 0;
  uint64_t since = 0;  // BlockMap::reading_since
  ViewChain chain;
  ReadRecords records;
  Op* next_free = nullptr;
};

namespace {

// Walks the memory of a request block by block.
class BlockCursor {
 public:
  explicit BlockCursor(std::span<const block::Buffer> buffers) : buffers_(buffers) {}
  std::byte* Next() {
    if (at_ == buffers_[index_].size) {
      ++index_;
      at_ = 0;
    }
    std::byte* p = buffers_[index_].data + at_;
    at_ += kBlockSize;
    return p;
  }

 private:
  std::span<const block::Buffer> buffers_;
  size_t index_ = 0, at_ = 0;
};

constexpr int kLastAttempt = 2;
// Lookups in the index that share one visit to the executor. Waking a thread costs as much as one that finds its table
// in the page cache; one that has to wait for the disk keeps the others waiting.
constexpr size_t kWarmedAtOnce = 4;

}  // namespace

ReadPath::ReadPath(LogPool& pool) : pool_(pool) {}
ReadPath::~ReadPath() {
  LS_ASSERT(in_flight_.empty());
}

bool ReadPath::AnyBefore(uint64_t generation) const {
  return !in_flight_.empty() && in_flight_.begin()->first < generation;
}

uint64_t ReadPath::Enter() {
  ++in_flight_[generation_];
  return generation_;
}

void ReadPath::Leave(uint64_t generation) {
  const auto it = in_flight_.find(generation);
  if (--it->second != 0) return;
  in_flight_.erase(it);
  for (size_t i = 0; i < waiting_.size();) {
    if (AnyBefore(waiting_[i].generation)) {
      ++i;
      continue;
    }
    pool_.seams().loop.Post(std::move(waiting_[i].go_on));
    waiting_.erase(waiting_.begin() + static_cast<ptrdiff_t>(i));
  }
}

Task<void> ReadPath::WhenNoneBefore(uint64_t generation) {
  if (!AnyBefore(generation)) co_return;
  co_await SuspendWith([&](auto resume) { waiting_.push_back({generation, std::move(resume)}); });
}

ReadPath::Op& ReadPath::TakeOp() {
  if (!free_) {
    ops_.push_back(std::make_unique<Op>());
    free_ = ops_.back().get();
    free_->path = this;
  }
  Op& op = *free_;
  free_ = op.next_free;
  return op;
}

void ReadPath::Read(block::VolumeId volume, LayerId layer, SequenceNumber at, block::Request& request) {
  Op& op = TakeOp();
  op.volume = volume;
  op.request = &request;
  op.layer = layer;
  op.at = at;
  op.status = {};
  op.generation = Enter();
  Start(op, 0);
}

void ReadPath::Start(Op& op, int attempt) {
  const Status planned = Plan(op, attempt);
  if (planned.code() == Code::kUnavailable) return Warm(op, attempt);
  op.status = planned;
  if (!planned.ok() || op.runs.empty()) {
    pool_.seams().loop.Post([this, &op] { Finish(op); });
    return;
  }
  SubmitRuns(op);
}

Status ReadPath::Plan(Op& op, int attempt) {
  op.runs.clear();
  op.buffers.clear();
  op.checks.clear();
  const auto tier = attempt < kLastAttempt ? Index::Tier::kMemory : Index::Tier::kDisk;
  const uint64_t first = op.request->offset / kBlockSize, count = op.request->length / kBlockSize;
  BlockCursor memory(op.request->buffers);
  ChunkVersions versions;
  for (uint64_t b = first; b < first + count;) {
    const uint64_t chunk = b / kChunkBlocks;
    const uint32_t from = b % kChunkBlocks;
    const uint32_t to = static_cast<uint32_t>(std::min<uint64_t>(kChunkBlocks, from + (first + count - b)));
    const uint16_t wanted = static_cast<uint16_t>((1u << to) - (1u << from));
    versions.fill({});
    LS_RETURN_IF_ERROR(pool_.map().Resolve(pool_.structure(), op.layer, op.at, chunk, wanted, tier, versions));
    for (uint32_t slot = from; slot < to; ++slot, ++b) {
      std::byte* p = memory.Next();
      const Version& v = versions[slot];
      if (!v.is_data()) {
        std::memset(p, 0, kBlockSize);
        continue;
      }
      op.checks.push_back({p, b, v.location, v.crc});
      const bool joins_run = !op.runs.empty() && op.runs.back().location + op.runs.back().blocks == v.location &&
                             op.runs.back().buffer_count < io::Disk::kMaxBuffers;
      if (!joins_run) op.runs.push_back({v.location, 0, static_cast<uint32_t>(op.buffers.size()), 0});
      Op::Run& run = op.runs.back();
      ++run.blocks;
      if (run.buffer_count != 0 && op.buffers.back().data + op.buffers.back().size == p) {
        op.buffers.back().size += kBlockSize;
      } else {
        op.buffers.push_back({p, kBlockSize});
        ++run.buffer_count;
      }
    }
  }
  return {};
}

void ReadPath::Warm(Op& op, int attempt) {
  // The index would have to wait for its disk. Let an executor do that: it brings the records, and the plan is made
  // again. What changes meanwhile is seen by that plan, as if the read had come later.
  op.attempt = attempt;
  op.since = pool_.map().reading_since();
  op.chain = ChainOf(pool_.structure(), op.layer, op.at);
  op.records.clear();
  to_warm_.push_back(&op);
  if (to_warm_.size() == 1) pool_.seams().loop.Post([this] { StartWarming(); });
}

void ReadPath::StartWarming() {
  for (size_t from = 0; from < to_warm_.size(); from += kWarmedAtOnce) {
    const size_t to = std::min(to_warm_.size(), from + kWarmedAtOnce);
    const auto begin = to_warm_.begin();
    std::vector<Op*> ops(begin + static_cast<ptrdiff_t>(from), begin + static_cast<ptrdiff_t>(to));
    pool_.seams().executor.Run([this, ops = std::move(ops)]() mutable {
      for (Op* op : ops) LookUp(*op);
      pool_.seams().loop.Post([this, ops = std::move(ops)] { EndWarming(ops); });
    });
  }
  to_warm_.clear();
}

void ReadPath::LookUp(Op& op) const {
  const uint64_t first = op.request->offset / kBlockSize, end = first + op.request->length / kBlockSize;
  ChunkVersions ignored;
  for (uint64_t b = first; b < end;) {
    const uint64_t chunk = b / kChunkBlocks, next = std::min(end, (chunk + 1) * kChunkBlocks);
    auto wanted = static_cast<uint16_t>(((1u << (next - b)) - 1) << b % kChunkBlocks);
    // An error shows again, and is reported, when the plan is made.
    if (!LookupView(pool_.map().index(), op.chain, chunk, wanted, ignored, &op.records).ok()) return;
    b = next;
  }
}

void ReadPath::EndWarming(const std::vector<Op*>& ops) {
  for (Op* op : ops) {
    for (const auto& [key, record] : op->records) pool_.map().Learn(op->since, key, record);
    Start(*op, op->attempt + 1);
  }
}

void ReadPath::SubmitRuns(Op& op) {
  op.disk.resize(op.runs.size());
  op.outstanding = static_cast<uint32_t>(op.runs.size());
  for (size_t i = 0; i < op.runs.size(); ++i) {
    const Op::Run& run = op.runs[i];
    io::DiskRequest& r = op.disk[i];
    r.op = io::DiskRequest::Op::kRead;
    r.offset = run.location * kBlockSize;
    r.length = uint64_t{run.blocks} * kBlockSize;
    r.buffers = {op.buffers.data() + run.first_buffer, run.buffer_count};
    r.context = &op;
    r.done = [](io::DiskRequest& done) {
      Op& o = *static_cast<Op*>(done.context);
      if (!done.status.ok()) o.status = done.status;
      o.path->RunDone(o);
    };
    pool_.disk().Submit(r);
  }
}

void ReadPath::RunDone(Op& op) {
  if (--op.outstanding != 0) return;
  if (op.status.ok()) Verify(op);
  Finish(op);
}

void ReadPath::Verify(Op& op) {
  for (const Op::Check& c : op.checks) {
    if (Crc32c({c.data, kBlockSize}) == c.crc) continue;
    const block::BadBlock bad{op.volume, op.layer, c.block, c.location};
    pool_.bad_blocks().Found(bad, c.crc);
    if (op.status.ok()) op.status = Corrupted(pool_.bad_blocks().Describe(bad));
  }
}

void ReadPath::Finish(Op& op) {
  Leave(op.generation);
  block::Request& request = *op.request;
  request.status = std::move(op.status);
  op.next_free = free_;
  free_ = &op;
  request.done(request);
}

}  // namespace lockstep::logstore
