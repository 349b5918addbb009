#include "tests/support/memory_pool.h"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

#include "base/assert.h"
#include "base/units.h"

namespace lockstep::test {
namespace {

using namespace block;  // NOLINT: the whole file is about it

using VolumeState = MemoryStorage::VolumeState;
using PointState = MemoryStorage::PointState;
using Structure = MemoryStorage::Structure;

// A content is changed only while no point shares it.
Content& Writable(VolumeState& state) {
  if (state.content.use_count() > 1) state.content = std::make_shared<Content>(*state.content);
  return *state.content;
}

Status CheckSize(uint64_t size) {
  if (size == 0 || size % kBlockSize != 0 || size > kMaxVolumeSize) {
    return InvalidArgument(fmt::format("{} is not a volume's size", size));
  }
  return {};
}

Result<VolumeState*> FindVolume(Structure& s, VolumeId id) {
  const auto found = s.volumes.find(id);
  if (found == s.volumes.end()) return NotFound(fmt::format("there is no volume {}", id.ToString()));
  return &found->second;
}

Result<const VolumeState*> FindAtPoint(const Structure& s, PointId point, VolumeId volume) {
  const auto found = s.points.find(point);
  if (found == s.points.end()) return NotFound(fmt::format("there is no point {}", point.ToString()));
  const auto state = found->second.states.find(volume);
  if (state == found->second.states.end()) {
    return NotFound(fmt::format("volume {} is not in point {}", volume.ToString(), point.ToString()));
  }
  return &state->second;
}

std::shared_ptr<Content> Shared(const std::shared_ptr<Content>& origin) {
  auto content = std::make_shared<Content>(*origin);
  for (auto& [block, piece] : content->blocks) piece.own = false;
  content->origin = origin;
  return content;
}

// What a volume or a point with this content holds.
void AddHeld(const Content* content, std::set<uint64_t>& versions) {
  for (; content; content = content->origin.get())
    for (const auto& [block, piece] : content->blocks)
      if (piece.own) versions.insert(piece.version);
}

// What the volume is now belongs to its past, when it has a window.
void Remember(MemoryStorage::Structure& s, VolumeId id, uint64_t position) {
  const auto past = s.pasts.find(id);
  if (past != s.pasts.end()) past->second.states[position] = s.volumes.at(id);
}

const VolumeState& StateIn(const MemoryStorage::Past& past, uint64_t position) {
  return std::prev(past.states.upper_bound(position))->second;
}

// A position has been taken.
void Tell(MemoryStorage& s, const io::Clock* clock) {
  if (clock) s.times[s.position] = clock->Wall();
}

// One change on a structure that is thrown away when any fails.
struct Applier {
  Structure& s;
  uint64_t position;
  std::set<VolumeId>& touched;  // volumes that must not be made smaller any more

  Status operator()(const CreateVolume& c) const {
    touched.insert(c.volume);
    LS_RETURN_IF_ERROR(CheckSize(c.size));
    if (!s.volumes.emplace(c.volume, VolumeState{c.size}).second) {
      return AlreadyExists(fmt::format("volume {} exists", c.volume.ToString()));
    }
    return {};
  }
  Status operator()(const DeleteVolume& c) const {
    if (s.volumes.erase(c.volume) == 0) return NotFound(fmt::format("there is no volume {}", c.volume.ToString()));
    s.pasts.erase(c.volume);
    return {};
  }
  Status operator()(const ResizeVolume& c) const {
    LS_RETURN_IF_ERROR(CheckSize(c.size));
    LS_ASSIGN_OR_RETURN(VolumeState * state, FindVolume(s, c.volume));
    if (c.size < state->size) {
      if (touched.contains(c.volume)) return InvalidArgument("the transaction has changed the volume before");
      auto& blocks = Writable(*state).blocks;
      blocks.erase(blocks.lower_bound(c.size / kBlockSize), blocks.end());
    }
    state->size = c.size;
    touched.insert(c.volume);
    return {};
  }
  Status operator()(const TakePoint& c) const {
    PointState point{c.at == 0 ? position : c.at, c.volumes, {}};
    if (c.volumes.empty()) return InvalidArgument("a point has at least one volume");
    if (s.points.contains(c.point)) return AlreadyExists(fmt::format("point {} exists", c.point.ToString()));
    for (const VolumeId volume : c.volumes) {
      touched.insert(volume);
      LS_ASSIGN_OR_RETURN(const VolumeState* state, FindVolume(s, volume));
      if (!point.states.emplace(volume, *state).second) return InvalidArgument("a point names a volume twice");
      if (c.at == 0) continue;
      const auto past = s.pasts.find(volume);
      if (past == s.pasts.end() || c.at < past->second.from || c.at >= position) {
        return InvalidState("the position is not in the volume's window");
      }
      point.states[volume] = StateIn(past->second, c.at);
    }
    s.points.emplace(c.point, std::move(point));
    return {};
  }
  Status operator()(const ReleasePoint& c) const {
    if (s.points.erase(c.point) == 0) return NotFound(fmt::format("there is no point {}", c.point.ToString()));
    return {};
  }
  Status operator()(const Clone& c) const {
    touched.insert(c.volume);
    LS_ASSIGN_OR_RETURN(const VolumeState* origin, FindAtPoint(s, c.point, c.source));
    const uint64_t size = c.size == 0 ? origin->size : c.size;
    LS_RETURN_IF_ERROR(CheckSize(size));
    if (size < origin->size) return InvalidArgument("a clone is never smaller than its source");
    if (!s.volumes.emplace(c.volume, VolumeState{size, 0, Shared(origin->content)}).second) {
      return AlreadyExists(fmt::format("volume {} exists", c.volume.ToString()));
    }
    return {};
  }
  Status operator()(const SetContent& c) const {
    touched.insert(c.volume);
    LS_ASSIGN_OR_RETURN(VolumeState * state, FindVolume(s, c.volume));
    LS_ASSIGN_OR_RETURN(const VolumeState* origin, FindAtPoint(s, c.point, c.source));
    state->size = std::max(state->size, origin->size);
    state->content = Shared(origin->content);
    state->content_set = position;
    return {};
  }
  Status operator()(const SetHistory& c) const {
    if (c.volumes.empty()) return InvalidArgument("a window needs a volume");
    std::set<VolumeId> named;
    for (const VolumeId volume : c.volumes) {
      LS_RETURN_IF_ERROR(FindVolume(s, volume).status());
      if (!named.insert(volume).second) return InvalidArgument("a window names a volume twice");
      if (!c.window.on()) {
        s.pasts.erase(volume);
        continue;
      }
      MemoryStorage::Past& past = s.pasts[volume];
      past.window = c.window;
      if (past.from == 0) past.from = position;
    }
    return {};
  }
  Status operator()(const TrimHistory& c) const {
    LS_RETURN_IF_ERROR(FindVolume(s, c.volume).status());
    const auto found = s.pasts.find(c.volume);
    if (found == s.pasts.end()) return InvalidState("the volume has no window");
    MemoryStorage::Past& past = found->second;
    if (c.from >= position) return InvalidState("that is not in the past");
    if (c.from <= past.from) return {};
    past.from = c.from;
    past.since = std::max(past.since, c.since);
    past.states.erase(past.states.begin(), std::prev(past.states.upper_bound(c.from)));
    return {};
  }
};

VolumeInfo ToInfo(VolumeId id, const VolumeState& state) {
  const auto own = std::count_if(state.content->blocks.begin(), state.content->blocks.end(),
                                 [](const auto& entry) { return entry.second.own; });
  return {id, state.size, static_cast<uint64_t>(own) * kBlockSize};
}

// Appends, joining what adjoins and is alike.
void AddExtent(std::vector<Extent>& to, Extent extent) {
  if (!to.empty() && to.back().offset + to.back().length == extent.offset && to.back().allocated == extent.allocated) {
    to.back().length += extent.length;
  } else {
    to.push_back(extent);
  }
}

class MemoryVolume final : public Volume {
 public:
  MemoryVolume(std::shared_ptr<MemoryStorage> storage, io::Loop& loop, const io::Clock* clock, VolumeId id,
               std::optional<VolumeState> frozen)
      : s_(std::move(storage)), loop_(loop), clock_(clock), id_(id), frozen_(std::move(frozen)) {}

  VolumeId id() const override { return id_; }
  uint64_t size() const override {
    const VolumeState* state = State();
    return state == nullptr ? 0 : state->size;
  }
  bool read_only() const override { return frozen_.has_value(); }

  void Submit(Request& request) override {
    loop_.Post([this, &request, keep = s_] {
      request.status = Execute(request);
      request.done(request);
    });
  }

  Task<Result<std::vector<Extent>>> Allocated(uint64_t offset, uint64_t length, size_t limit) override {
    const VolumeState* state = State();
    if (state == nullptr) co_return Gone();
    LS_CO_RETURN_IF_ERROR(CheckRange(*state, offset, length));
    std::vector<Extent> extents;
    for (uint64_t at = offset; at < offset + length; at += kBlockSize) {
      const bool allocated = state->content->blocks.contains(at / kBlockSize);
      if (extents.size() == limit && extents.back().allocated != allocated) break;
      AddExtent(extents, {at, kBlockSize, allocated});
    }
    co_return extents;
  }

 private:
  const VolumeState* State() const {
    if (frozen_) return &*frozen_;
    const auto found = s_->now.volumes.find(id_);
    return found == s_->now.volumes.end() ? nullptr : &found->second;
  }
  Status Gone() const { return NotFound(fmt::format("volume {} has been deleted", id_.ToString())); }

  Status CheckRange(const VolumeState& state, uint64_t offset, uint64_t length) const {
    const bool aligned = (offset | length) % kBlockSize == 0;
    if (!aligned || length == 0 || offset > state.size || length > state.size - offset) {
      return InvalidArgument(fmt::format("volume {}: {}+{} is misaligned or outside of it", id_.ToString(), offset,
                                         length));
    }
    return {};
  }

  Status CheckBuffers(const Request& request) const {
    uint64_t sum = 0;
    for (const Buffer& b : request.buffers) {
      const bool aligned = (reinterpret_cast<uintptr_t>(b.data) | b.size) % io::Disk::kMemoryAlignment == 0;
      if (!aligned) return InvalidArgument("a buffer is not aligned");
      sum += b.size;
    }
    if (sum != request.length || request.length > kMaxTransferSize || request.buffers.size() > 64) {
      return InvalidArgument("the buffers are not what the request says");
    }
    return {};
  }

  Status Execute(Request& request) {
    const VolumeState* state = State();
    if (state == nullptr) return Gone();
    if (request.op == Request::Op::kFlush) return {};
    if (request.op != Request::Op::kRead && read_only()) {
      return {Code::kPermissionDenied, fmt::format("volume {} at a point is read-only", id_.ToString())};
    }
    LS_RETURN_IF_ERROR(CheckRange(*state, request.offset, request.length));
    const bool transfers = request.op == Request::Op::kRead || request.op == Request::Op::kWrite;
    if (transfers) LS_RETURN_IF_ERROR(CheckBuffers(request));
    if (request.op == Request::Op::kRead) {
      Read(*state, request);
    } else {
      Change(s_->now.volumes.at(id_), request);
      Remember(s_->now, id_, s_->position);
      Tell(*s_, clock_);
    }
    return {};
  }

  static void Read(const VolumeState& state, const Request& request) {
    uint64_t block = request.offset / kBlockSize;
    for (const Buffer& b : request.buffers) {
      for (size_t at = 0; at < b.size; at += kBlockSize, ++block) {
        const auto found = state.content->blocks.find(block);
        if (found == state.content->blocks.end()) {
          std::memset(b.data + at, 0, kBlockSize);
        } else {
          std::memcpy(b.data + at, found->second.data->data(), kBlockSize);
        }
      }
    }
  }

  void Change(VolumeState& state, const Request& request) {
    ++s_->position;
    auto& blocks = Writable(state).blocks;
    uint64_t block = request.offset / kBlockSize;
    MemoryLog::Entry entry{id_, request.offset, request.length, {}, {}};
    if (request.op != Request::Op::kWrite) {
      blocks.erase(blocks.lower_bound(block), blocks.lower_bound(block + request.length / kBlockSize));
      return s_->log.Add(std::move(entry), loop_);
    }
    for (const Buffer& b : request.buffers) {
      for (size_t at = 0; at < b.size; at += kBlockSize, ++block) {
        auto data = std::make_shared<Block>();
        std::memcpy(data->data(), b.data + at, kBlockSize);
        entry.data.push_back(data);
        blocks[block] = {std::move(data), true, ++s_->versions};
      }
    }
    s_->log.Add(std::move(entry), loop_);
  }

  std::shared_ptr<MemoryStorage> s_;
  io::Loop& loop_;
  const io::Clock* clock_;
  const VolumeId id_;
  const std::optional<VolumeState> frozen_;
};

const Block* BlockAt(const VolumeState& state, uint64_t block) {
  const auto found = state.content->blocks.find(block);
  return found == state.content->blocks.end() ? nullptr : found->second.data.get();
}

}  // namespace

Task<Status> MemoryPool::Apply(Transaction transaction) {
  co_await SuspendWith([this](auto resume) { loop_.Post(std::move(resume)); });
  if (transaction.changes.empty()) co_return InvalidArgument("a transaction has at least one change");
  if (WasApplied(transaction.id)) co_return AlreadyExists("a transaction with this id was applied before");
  Structure next = s_->now;
  std::set<VolumeId> touched;
  const Applier applier{next, s_->position + 1, touched};
  for (const block::Change& change : transaction.changes) LS_CO_RETURN_IF_ERROR(std::visit(applier, change));
  s_->now = std::move(next);
  ++s_->position;
  Tell(*s_, clock_);
  for (auto& [id, past] : s_->now.pasts) {
    Remember(s_->now, id, s_->position);
    if (past.from == s_->position && clock_) past.since = clock_->Wall();
  }
  s_->applied.insert(transaction.id);
  MemoryLog::Entry entry;
  entry.transaction = std::move(transaction);
  s_->log.Add(std::move(entry), loop_);
  co_return Status::Ok();
}

Result<MemoryStorage::VolumeState> MemoryPool::StateAt(VolumeId volume, std::optional<PointId> point) const {
  if (point) {
    LS_ASSIGN_OR_RETURN(const VolumeState* state, FindAtPoint(s_->now, *point, volume));
    return *state;
  }
  LS_ASSIGN_OR_RETURN(const VolumeState* state, FindVolume(s_->now, volume));
  return *state;
}

Result<std::shared_ptr<Volume>> MemoryPool::OpenVolume(VolumeId volume) {
  LS_RETURN_IF_ERROR(FindVolume(s_->now, volume).status());
  return std::shared_ptr<Volume>(std::make_shared<MemoryVolume>(s_, loop_, clock_, volume, std::nullopt));
}

Result<std::shared_ptr<Volume>> MemoryPool::OpenPoint(PointId point, VolumeId volume) {
  LS_ASSIGN_OR_RETURN(VolumeState state, StateAt(volume, point));
  return std::shared_ptr<Volume>(std::make_shared<MemoryVolume>(s_, loop_, clock_, volume, std::move(state)));
}

Task<Result<std::vector<Extent>>> MemoryPool::Diff(VolumeId volume, PointId from, std::optional<PointId> to) {
  const Result<VolumeState> a = StateAt(volume, from);
  if (!a.ok()) co_return a.status();
  const Result<VolumeState> b = StateAt(volume, to);
  if (!b.ok()) co_return b.status();
  if (a->content_set != b->content_set) {
    co_return NotSupported("the volume's content was replaced between the two: compare as a whole");
  }
  std::vector<Extent> extents;
  for (uint64_t block = 0; block < std::max(a->size, b->size) / kBlockSize; ++block) {
    if (BlockAt(*a, block) != BlockAt(*b, block)) AddExtent(extents, {block * kBlockSize, kBlockSize, true});
  }
  co_return extents;
}

Task<Result<uint64_t>> MemoryPool::CopyUp(VolumeId volume, uint64_t offset, uint64_t length) {
  co_await SuspendWith([this](auto resume) { loop_.Post(std::move(resume)); });
  const Result<VolumeState*> found = FindVolume(s_->now, volume);
  if (!found.ok()) co_return found.status();
  VolumeState& state = **found;
  if ((offset | length) % kBlockSize != 0 || offset > state.size || length > state.size - offset) {
    co_return InvalidArgument("the range to copy up is misaligned or outside the volume");
  }
  auto& blocks = Writable(state).blocks;
  uint64_t copied = 0;
  const auto end = blocks.lower_bound((offset + length) / kBlockSize);
  for (auto it = blocks.lower_bound(offset / kBlockSize); it != end; ++it) {
    if (it->second.own) continue;
    copied += kBlockSize;
    it->second.own = true;
    it->second.version = ++s_->versions;
  }
  if (copied == 0 || !s_->now.pasts.contains(volume)) co_return copied;
  ++s_->position;
  s_->log.Add({}, loop_);
  Remember(s_->now, volume, s_->position);
  Tell(*s_, clock_);
  co_return copied;
}

Task<Status> MemoryPool::Flush() {
  co_await SuspendWith([this](auto resume) { loop_.Post(std::move(resume)); });
  co_return Status::Ok();
}

Task<Result<block::ScrubReport>> MemoryPool::Scrub(block::ScrubOptions options) {
  block::ScrubReport report;
  report.position = std::min<uint64_t>(options.from, s_->now.volumes.size());
  report.end = s_->now.volumes.size();
  while (report.position < report.end && (!options.go_on || options.go_on(report))) {
    co_await SuspendWith([this](auto resume) { loop_.Post(std::move(resume)); });
    report.end = s_->now.volumes.size();
    if (report.position >= report.end) break;
    const auto volume = std::next(s_->now.volumes.begin(), static_cast<ptrdiff_t>(report.position++));
    report.blocks += volume->second.content->blocks.size();
    report.bytes_read = report.blocks * kBlockSize;
  }
  report.position = std::min(report.position, report.end);
  co_return report;
}

Task<Result<block::CheckReport>> MemoryPool::Check() {
  co_await SuspendWith([this](auto resume) { loop_.Post(std::move(resume)); });
  block::CheckReport report;
  for (const auto& [id, state] : s_->now.volumes) report.current += state.content->blocks.size();
  co_return report;
}

std::set<uint64_t> MemoryPool::Held(const Removal& except) const {
  std::set<uint64_t> versions;
  const auto stays = [](const auto& removed, const auto& id) {
    return std::find(removed.begin(), removed.end(), id) == removed.end();
  };
  for (const auto& [id, state] : s_->now.volumes)
    if (stays(except.volumes, id)) AddHeld(state.content.get(), versions);
  for (const auto& [id, past] : s_->now.pasts)
    if (stays(except.volumes, id))
      for (const auto& [position, state] : past.states) AddHeld(state.content.get(), versions);
  for (const auto& [id, point] : s_->now.points)
    if (stays(except.points, id))
      for (const auto& [volume, state] : point.states) AddHeld(state.content.get(), versions);
  return versions;
}

Status MemoryPool::CheckNamed(const Removal& removal) const {
  for (const VolumeId& id : removal.volumes) LS_RETURN_IF_ERROR(FindVolume(s_->now, id).status());
  for (const PointId& id : removal.points) LS_RETURN_IF_ERROR(Find(id).status());
  return {};
}

Task<Result<std::vector<uint64_t>>> MemoryPool::WouldFree(std::vector<Removal> removals) {
  co_await SuspendWith([this](auto resume) { loop_.Post(std::move(resume)); });
  const size_t all = Held({}).size();
  std::vector<uint64_t> freed;
  for (const Removal& removal : removals) {
    LS_CO_RETURN_IF_ERROR(CheckNamed(removal));
    freed.push_back((all - Held(removal).size()) * kBlockSize);
  }
  co_return freed;
}

Task<Result<VolumeSpace>> MemoryPool::Space(VolumeId volume) {
  co_await SuspendWith([this](auto resume) { loop_.Post(std::move(resume)); });
  const Removal removal{{volume}, {}};
  LS_CO_RETURN_IF_ERROR(CheckNamed(removal));
  const std::set<uint64_t> others = Held(removal);
  const VolumeState& state = s_->now.volumes.at(volume);
  VolumeSpace space{state.content->blocks.size() * kBlockSize, (Held({}).size() - others.size()) * kBlockSize, 0};
  for (const auto& [block, piece] : state.content->blocks) {
    // An inherited one is that of the nearest ancestor that made it.
    const Content* owner = state.content.get();
    while (!owner->blocks.at(block).own) owner = owner->origin.get();
    if (others.contains(owner->blocks.at(block).version)) space.shared += kBlockSize;
  }
  co_return space;
}

PoolInfo MemoryPool::Info() const {
  PoolInfo info{s_->id, s_->size, s_->size, 0, s_->position, s_->position};
  for (const auto& [id, state] : s_->now.volumes) info.mapped += ToInfo(id, state).used;
  info.live = info.used = Held({}).size() * kBlockSize;
  info.history = info.live - info.mapped;
  info.free = info.size - std::min(info.size, info.used);
  return info;
}

std::vector<VolumeInfo> MemoryPool::Volumes() const {
  std::vector<VolumeInfo> all;
  for (const auto& [id, state] : s_->now.volumes) all.push_back(*Find(id));
  return all;
}

std::vector<PointInfo> MemoryPool::Points() const {
  std::vector<PointInfo> all;
  for (const auto& [id, state] : s_->now.points) all.push_back({id, state.position, state.volumes});
  std::stable_sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.position < b.position; });
  return all;
}

Result<VolumeInfo> MemoryPool::Find(VolumeId volume) const {
  LS_ASSIGN_OR_RETURN(const VolumeState* state, FindVolume(s_->now, volume));
  VolumeInfo info = ToInfo(volume, *state);
  if (const auto past = s_->now.pasts.find(volume); past != s_->now.pasts.end()) {
    info.window = past->second.window;
    info.history_from = past->second.from;
    info.history_since = past->second.since;
  }
  return info;
}

Task<Result<SequenceNumber>> MemoryPool::PositionAt(io::WallTime time) {
  if (!clock_) co_return co_await Pool::PositionAt(time);
  io::WallTime oldest{INT64_MAX};
  for (const auto& [id, past] : s_->now.pasts) oldest = std::min(oldest, past.since);
  if (time < oldest) co_return InvalidState("no window reaches back to that time");
  SequenceNumber found = 0;
  for (const auto& [position, when] : s_->times)
    if (when <= time) found = position;
  co_return found;
}

Task<Result<io::WallTime>> MemoryPool::TimeOf(SequenceNumber position) {
  const auto found = s_->times.upper_bound(position);
  if (found == s_->times.begin()) co_return co_await Pool::TimeOf(position);
  co_return std::prev(found)->second;
}

Result<PointInfo> MemoryPool::Find(PointId point) const {
  const auto found = s_->now.points.find(point);
  if (found == s_->now.points.end()) return NotFound(fmt::format("there is no point {}", point.ToString()));
  return PointInfo{point, found->second.position, found->second.volumes};
}

}  // namespace lockstep::test
