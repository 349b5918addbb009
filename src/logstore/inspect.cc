#include "logstore/inspect.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <set>
#include <unordered_set>

#include "base/assert.h"
#include "base/checksum.h"
#include "logstore/disk_io.h"
#include "logstore/inspect_index.h"
#include "logstore/inspect_structure.h"
#include "logstore/log_reader.h"
#include "logstore/pool.h"
#include "logstore/segment_scan.h"

namespace lockstep::logstore {
namespace {

constexpr size_t kDepth = 8;         // reads at once
constexpr size_t kMostNamedProblems = 1000;  // problems

class Inspector {
 public:
  Inspector(PoolDevices& pool, const Index* index)
      : label_(pool.label), devices_(*pool.devices), raw_index_(index) {}

  Task<Result<Inspection>> Run() {
    report_.superblock = label_.superblock;
    report_.version = label_.version;
    report_.devices = label_.table.devices;
    const Superblock& superblock = report_.superblock;
    for (const DeviceRecord& device : label_.table.devices) {
      report_.paths.push_back(devices_.PathOf(device.id));
      co_await CompareCopies(device.id);
    }
    LS_CO_RETURN_IF_ERROR(LoadIndex());
    co_await FollowLog();
    for (std::string& problem : ProblemsOf(report_.structure, report_.log_to.next)) Complain(std::move(problem));
    for (uint32_t segment = 0; segment < superblock.segment_count; ++segment)
      if (devices_.Holds(segment)) LS_CO_RETURN_IF_ERROR(co_await Look(segment));
    LS_CO_RETURN_IF_ERROR(co_await NameUnsupported());
    co_return std::move(report_);
  }

 private:
  void Complain(std::string problem) {
    if (report_.problems.size() < kMostNamedProblems)
      report_.problems.push_back(std::move(problem));
    else
      ++report_.more_problems;
  }

  Task<void> CompareCopies(DeviceId device) {
    const Aligned block(kBlockSize);
    std::vector<Label> good;
    for (const uint64_t copy : {0, 1}) {
      const Status read = co_await ReadDisk(*devices_.Find(device), copy * kBlockSize, block.span());
      const auto label = DecodeLabel(block.span().first<kBlockSize>());
      const Status& status = read.ok() ? label.status() : read;
      if (status.ok())
        good.push_back(*label);
      else
        Complain(fmt::format("superblock copy {} (device block {}) of {}: {}; the other one is used", copy, copy,
                             devices_.PathOf(device), status.message()));
    }
    if (good.size() != 2) co_return;
    // A crash leaves the one behind the other, which is nothing but that.
    good[0].superblock.least_index = good[1].superblock.least_index, good[0].version = good[1].version;
    const bool behind = good[0].table.generation != good[1].table.generation;
    if (!behind && good[0] != good[1])
      Complain(fmt::format("the copies of the superblock of {} are of different pools, or different geometry",
                           devices_.PathOf(device)));
  }

  Status LoadIndex() {
    if (raw_index_ == nullptr) return {};
    index_.emplace(*raw_index_, report_.superblock, [this](std::string problem) { Complain(std::move(problem)); });
    LS_ASSIGN_OR_RETURN(const bool usable, index_->Load());
    if (!usable) {
      index_.reset();
      return {};
    }
    const Checkpoint& c = index_->checkpoint();
    report_.index = {c.number, c.position, index_->current(), index_->history()};
    for (std::string& problem : ProblemsOf(index_->structure(), c.position.next))
      Complain("index: " + std::move(problem));
    return {};
  }

  // Where a rebuilding of the index would begin; nullopt: there is nothing to begin from.
  Task<std::optional<LogPosition>> Origin() {
    AnchorStore anchors(*devices_.Find(label_.table.devices.front().id), devices_, report_.superblock);
    const auto place = co_await anchors.Find();
    if (!place.ok()) Complain("anchor: " + place.status().message());
    if (place.ok() && *place) {
      const std::vector<Status> copies = co_await anchors.LookAtCopies();
      for (size_t i = 0; i < copies.size(); ++i)
        if (!copies[i].ok())
          Complain(fmt::format("copy {} of the anchor's header: {}; the other one is used", i, copies[i].message()));
    }
    if (!place.ok() || !*place) {
      if (report_.superblock.least_index == 0) co_return LogPosition{0, 0, 1, 0, 1};  // the log is whole
      Complain("there is no anchor, so the index cannot be rebuilt if it is lost");
      co_return std::nullopt;
    }
    auto anchor = co_await anchors.Read(**place);
    auto structure = anchor.ok() ? Structure::Decode(anchor->structure) : Result<Structure>(anchor.status());
    if (!structure.ok()) {
      Complain("anchor: " + structure.status().message() + "; the index cannot be rebuilt if it is lost");
      co_return std::nullopt;
    }
    report_.anchor = *place;
    report_.structure = std::move(*structure);
    for (std::string& problem : ProblemsOf(report_.structure, anchor->position.next))
      Complain("anchor: " + std::move(problem));
    for (const SegmentUse& use : anchor->segments)
      if (!index_) in_use_.insert(use.segment);
    co_return anchor->position;
  }

  Task<void> FollowLog() {
    const auto origin = co_await Origin();
    report_.log_from = origin.value_or(LogPosition{});
    report_.log_to = report_.log_from;
    if (origin) co_await FollowFrom(*origin, index_ ? "the log, which only a new index would need: " : "log: ");
    if (!index_ || met_index_) co_return;
    const LogPosition& from = index_->checkpoint().position;
    if (origin)
      Complain(fmt::format("the log does not lead to entry {} in segment {}, block {}, where the index stands",
                           from.next, from.segment, from.block));
    met_index_ = true;
    if (!origin) report_.log_from = from;
    report_.structure = index_->structure();
    report_.log_to = from;
    co_await FollowFrom(from, "log: ");
  }

  // `what`: begins what is complained of before the log comes to where the index stands.
  Task<void> FollowFrom(LogPosition from, std::string what) {
    LogReader reader(devices_, report_.superblock, from, LogReader::Depth::kVerifyData);
    while (true) {
      if (index_ && !met_index_ && reader.position() == index_->checkpoint().position) MeetIndex();
      const std::string whose = met_index_ ? "log: " : what;
      const auto batch = co_await reader.Next();
      if (!batch.ok()) Complain(whose + batch.status().message());
      if (!batch.ok() || !*batch) co_return;
      ++report_.log_batches;
      if (!index_ || met_index_) in_use_.insert((*batch)->begin.segment);
      const Status applied = Apply(**batch);
      if (!applied.ok()) {
        Complain(fmt::format("{}entry {} and on: {}", whose, (*batch)->header.first, applied.message()));
        co_return;
      }
      report_.log_to = (*batch)->end;
    }
  }

  void MeetIndex() {
    met_index_ = true;
    for (std::string& difference : DifferencesOf(report_.structure, index_->structure(), "the index"))
      Complain(std::move(difference) + ", by the log");
    report_.structure = index_->structure();
  }

  Status Apply(const LogBatch& batch) {
    SequenceNumber sequence = batch.header.first;
    size_t at = 0;
    for (const Entry& entry : batch.header.entries) {
      if (entry.type == EntryType::kTransaction) {
        const auto payload = batch.data.subspan(at, entry.bytes);
        LS_ASSIGN_OR_RETURN(const LoggedTransaction logged,
                            DecodeTransaction({reinterpret_cast<const char*>(payload.data()), payload.size()}));
        if (!logged.transaction.changes.empty()) {
          LS_RETURN_IF_ERROR(report_.structure.Validate(logged.transaction, sequence - 1));
          report_.structure.Apply(logged.transaction, sequence, logged.time);
        }
      }
      ++sequence;
      at += size_t{entry.data_blocks()} * kBlockSize;
    }
    return {};
  }

  Task<Status> Look(uint32_t segment) {
    const Superblock& superblock = report_.superblock;
    if (!image_.data) image_ = Aligned(superblock.segment_size);
    InspectedSegment found;
    found.segment = segment;
    found.in_use = in_use_.contains(segment) || (index_ && index_->InUse(segment));
    const bool unreadable = co_await ReadSegment(devices_, superblock, segment, image_.span(), kDepth);
    if (unreadable && found.in_use) Complain(fmt::format("segment {}: parts of it cannot be read", segment));
    const std::vector<SegmentBatch> batches = ParseSegment(superblock, segment, image_.span());
    std::set<uint64_t> bad;
    for (const SegmentBatch& batch : batches) Count(batch, found, bad);
    report_.segments.push_back(found);
    if (index_) co_return index_->Look(segment, batches, bad);
    co_return Status();
  }

  void Count(const SegmentBatch& batch, InspectedSegment& to, std::set<uint64_t>& bad) {
    const BatchHeader& h = batch.header;
    to.kind = h.moved() ? InspectedSegment::Kind::kMoved : InspectedSegment::Kind::kLog;
    ++to.batches;
    to.entries += static_cast<uint32_t>(h.entries.size());
    to.blocks += h.data_blocks();
    const uint64_t begin = report_.superblock.first_block(to.segment);
    uint64_t location = batch.data_location;
    size_t index = 0;
    for (size_t i = 0; i < h.entries.size(); ++i) {
      const Entry& e = h.entries[i];
      to.first = to.first == 0 ? h.birth(i) : std::min(to.first, h.birth(i));
      to.newest = std::max(to.newest, h.birth(i));
      for (uint32_t j = 0; j < e.data_blocks(); ++j, ++location, ++index) {
        const auto data = image_.span().subspan((location - begin) * kBlockSize, kBlockSize);
        if (Crc32c(data) == h.block_crcs[index]) continue;
        ++to.bad_blocks;
        bad.insert(location);
        // What lies behind the log's end was never acknowledged as durable. Which blocks matter the index says.
        const bool behind_the_end = !h.moved() && h.first >= report_.log_to.next;
        if (!index_ && to.in_use && !behind_the_end && e.type == EntryType::kWrite)
          Complain(fmt::format("segment {}: block {} of layer {} as written by entry {}, at device block {}, does not "
                               "match its checksum; it is lost, unless it was overwritten or moved since",
                               to.segment, e.block + j, e.layer, h.birth(i), location));
      }
    }
  }

  Task<Status> NameUnsupported() {
    if (!index_) co_return Status();
    const auto found = index_->NotOnDevice();
    LS_CO_RETURN_IF_ERROR(found.status());
    const Aligned block(kBlockSize);
    for (const IndexInspector::Unsupported& u : *found) {
      const std::string name = fmt::format("index: {}{}, written as entry {}, is said to be at device block {}",
                                           u.old ? "an old version of " : "", index_->NameOf(u.layer, u.block),
                                           u.version.birth, u.version.location);
      if (const MovedBlock* there = index_->OnDevice(u.version.location)) {
        Complain(fmt::format("{}, but that is {}, written as entry {}", name,
                             index_->NameOf(there->layer, there->block), there->birth));
        continue;
      }
      const Status read = co_await ReadDisk(devices_, u.version.location * kBlockSize, block.span());
      const bool whole = read.ok() && Crc32c(block.span()) == u.version.crc;
      Complain(name + (whole ? "; the data there is right, but the batch that should speak of it is damaged: it can "
                               "be read, but an index could not be rebuilt across it"
                             : ", but no batch there speaks of it and the data does not match its checksum: it cannot "
                               "be read"));
    }
    co_return Status();
  }

  struct Aligned {
    Aligned() = default;
    explicit Aligned(size_t bytes) : data(AllocateBlocks(bytes)), size(bytes) {}
    std::span<std::byte> span() const { return {data.get(), size}; }
    DiskMemory data;
    size_t size = 0;
  };

  const Label& label_;
  DeviceSet& devices_;
  const Index* const raw_index_;
  Inspection report_;
  std::optional<IndexInspector> index_;  // when it is of use
  bool met_index_ = false;               // the log has been followed to where the index stands
  std::unordered_set<uint32_t> in_use_;
  Aligned image_;
};

}  // namespace

Task<Result<Inspection>> Inspect(PoolDevices& pool, const Index* index) {
  Inspector inspector(pool, index);
  co_return co_await inspector.Run();
}

}  // namespace lockstep::logstore
