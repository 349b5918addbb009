#include "logstore/structure.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/codec.h"
#include "base/planted.h"

namespace lockstep::logstore {
namespace {

constexpr size_t kAppliedKept = 4096;  // block/pool.h promises 1,024
constexpr size_t kMaxObjects = 50'000;
constexpr size_t kEndedKept = 16'384;

using namespace block;  // NOLINT: this file speaks of little else

// What a transaction's earlier changes have done, on top of the structure, while its later ones are checked.
struct Pending {
  std::unordered_map<VolumeId, uint64_t> volumes;  // made or resized: their size
  std::unordered_set<VolumeId> deleted;
  std::unordered_map<PointId, std::unordered_map<VolumeId, uint64_t>> points;  // taken: members and sizes
  std::unordered_set<PointId> released;
  std::unordered_map<VolumeId, SequenceNumber> history;  // where its window begins now; kNow: with this transaction
};

class Validator {
 public:
  Validator(const Structure& structure, SequenceNumber last) : s_(structure), last_(last) {}

  Status Check(const CreateVolume& c) {
    if (SizeOf(c.volume)) return AlreadyExists(fmt::format("volume {} exists already", c.volume.ToString()));
    LS_RETURN_IF_ERROR(CheckSize(c.size));
    return Made(c.volume, c.size);
  }
  Status Check(const DeleteVolume& c) {
    if (!SizeOf(c.volume)) return NoVolume(c.volume);
    p_.volumes.erase(c.volume);
    p_.deleted.insert(c.volume);
    p_.history[c.volume] = 0;
    return {};
  }
  Status Check(const ResizeVolume& c) {
    const auto size = SizeOf(c.volume);
    if (!size) return NoVolume(c.volume);
    LS_RETURN_IF_ERROR(CheckSize(c.size));
    if (c.size < *size && Touched(c.volume))
      return InvalidArgument(fmt::format("volume {} is made smaller by a transaction that changes it before; use two",
                                         c.volume.ToString()));
    p_.volumes[c.volume] = c.size;
    return {};
  }
  Status Check(const TakePoint& c) {
    if (HasPoint(c.point)) return AlreadyExists(fmt::format("point {} exists already", c.point.ToString()));
    if (c.volumes.empty()) return InvalidArgument("a point needs at least one volume");
    std::unordered_map<VolumeId, uint64_t> members;
    for (const VolumeId& v : c.volumes) {
      const auto size = SizeOf(v);
      if (!size) return NoVolume(v);
      if (!members.emplace(v, *size).second)
        return InvalidArgument(fmt::format("volume {} is named twice for one point", v.ToString()));
      LS_RETURN_IF_ERROR(CheckPast(v, c.at, members.at(v)));
    }
    objects_ += c.volumes.size();
    p_.released.erase(c.point);
    p_.points[c.point] = std::move(members);
    return {};
  }
  Status Check(const ReleasePoint& c) {
    if (!HasPoint(c.point)) return NoPoint(c.point);
    p_.points.erase(c.point);
    p_.released.insert(c.point);
    return {};
  }
  Status Check(const Clone& c) {
    LS_ASSIGN_OR_RETURN(const uint64_t source_size, MemberSize(c.point, c.source));
    if (SizeOf(c.volume)) return AlreadyExists(fmt::format("volume {} exists already", c.volume.ToString()));
    const uint64_t size = c.size == 0 ? source_size : c.size;
    LS_RETURN_IF_ERROR(CheckSize(size));
    if (size < source_size) return InvalidArgument("a clone cannot be smaller than its source");
    return Made(c.volume, size);
  }
  Status Check(const SetContent& c) {
    LS_ASSIGN_OR_RETURN(const uint64_t source_size, MemberSize(c.point, c.source));
    const auto size = SizeOf(c.volume);
    if (!size) return NoVolume(c.volume);
    p_.volumes[c.volume] = std::max(*size, source_size);
    return {};
  }
  Status Check(const SetHistory& c) {
    if (c.volumes.empty()) return InvalidArgument("a window needs at least one volume");
    std::unordered_set<VolumeId> named;
    for (const VolumeId& v : c.volumes) {
      if (!SizeOf(v)) return NoVolume(v);
      if (!named.insert(v).second)
        return InvalidArgument(fmt::format("volume {} is named twice for one window", v.ToString()));
      const SequenceNumber from = HistoryFrom(v);
      p_.history[v] = !c.window.on() ? 0 : from == 0 ? kNow : from;
    }
    objects_ += c.volumes.size();
    return {};
  }
  Status Check(const TrimHistory& c) {
    if (!SizeOf(c.volume)) return NoVolume(c.volume);
    const SequenceNumber from = HistoryFrom(c.volume);
    if (from == 0) return NoWindow(c.volume);
    if (c.from > last_)
      return InvalidState(fmt::format("position {} is not in the past; the newest is {}", c.from, last_));
    p_.history[c.volume] = std::max(from, c.from);
    return {};
  }
  size_t objects() const { return objects_; }

 private:
  static Status NoWindow(VolumeId id) {
    return InvalidState(fmt::format("volume {} has no history window; set one first", id.ToString()));
  }
  SequenceNumber HistoryFrom(VolumeId id) const {
    if (const auto it = p_.history.find(id); it != p_.history.end()) return it->second;
    const VolumeRecord* v = s_.Find(id);
    return v ? v->history_from : 0;
  }
  // Whether a point can be taken at `at`; `size` becomes that of the volume then.
  Status CheckPast(VolumeId id, SequenceNumber at, uint64_t& size) const {
    if (at == 0) return {};
    const SequenceNumber from = HistoryFrom(id);
    if (from == 0) return NoWindow(id);
    if (at < from || at > last_)
      return InvalidState(fmt::format("position {} is not in the history window of volume {}, which {}", at,
                                      id.ToString(),
                                      from == kNow ? "begins now" : fmt::format("reaches from {} to {}", from, last_)));
    size = s_.Find(id)->EraAt(at).size;
    return {};
  }
  static Status NoVolume(VolumeId id) { return NotFound(fmt::format("there is no volume {}", id.ToString())); }
  static Status NoPoint(PointId id) { return NotFound(fmt::format("there is no point {}", id.ToString())); }
  static Status CheckSize(uint64_t size) {
    if (size == 0 || size % kBlockSize != 0 || size > kMaxVolumeSize)
      return InvalidArgument(fmt::format("a volume's size must be a multiple of {} between {} and {}, not {}",
                                         kBlockSize, kBlockSize, kMaxVolumeSize, size));
    return {};
  }
  // Whether an earlier change has done anything to the volume that making it smaller would undo.
  bool Touched(VolumeId id) const {
    return p_.volumes.contains(id) || std::any_of(p_.points.begin(), p_.points.end(),
                                                  [&](const auto& point) { return point.second.contains(id); });
  }
  Status Made(VolumeId id, uint64_t size) {
    p_.deleted.erase(id);
    p_.history[id] = 0;
    p_.volumes[id] = size;
    return {};
  }
  std::optional<uint64_t> SizeOf(VolumeId id) const {
    if (const auto it = p_.volumes.find(id); it != p_.volumes.end()) return it->second;
    if (p_.deleted.contains(id)) return std::nullopt;
    const VolumeRecord* v = s_.Find(id);
    return v ? std::optional(v->size) : std::nullopt;
  }
  bool HasPoint(PointId id) const {
    return p_.points.contains(id) || (!p_.released.contains(id) && s_.Find(id) != nullptr);
  }
  Result<uint64_t> MemberSize(PointId point, VolumeId volume) const {
    if (!HasPoint(point)) return NoPoint(point);
    if (const auto it = p_.points.find(point); it != p_.points.end()) {
      if (const auto m = it->second.find(volume); m != it->second.end()) return m->second;
    } else if (const PointMember* m = Structure::Member(*s_.Find(point), volume)) {
      return m->size;
    }
    return NotFound(fmt::format("point {} does not hold volume {}", point.ToString(), volume.ToString()));
  }

  const Structure& s_;
  const SequenceNumber last_;
  Pending p_;
  size_t objects_ = 0;
};

}  // namespace

bool Layer::Retains(SequenceNumber from, SequenceNumber to) const {
  const auto it = std::lower_bound(retained.begin(), retained.end(), from);
  return (it != retained.end() && *it + (LS_PLANTED(8) ? 1 : 0) < to) || Keeps(from, to);
}

Status Structure::Validate(const Transaction& transaction, SequenceNumber last) const {
  if (transaction.id.IsNil()) return InvalidArgument("a transaction needs an id");
  if (WasApplied(transaction.id)) return AlreadyExists("this transaction has been applied already");
  if (transaction.changes.empty()) return InvalidArgument("a transaction needs at least one change");
  Validator validator(*this, last);
  for (const Change& change : transaction.changes)
    LS_RETURN_IF_ERROR(std::visit([&](const auto& c) { return validator.Check(c); }, change));
  if (validator.objects() + transaction.changes.size() > kMaxObjects)
    return {Code::kTooLarge, fmt::format("a transaction can name at most {} objects", kMaxObjects)};
  return {};
}

void Structure::Apply(const Transaction& transaction, SequenceNumber at, io::WallTime now) {
  now_ = now;
  for (const Change& change : transaction.changes) std::visit([&](const auto& c) { Do(c, at); }, change);
  applied_.push_back(transaction.id);
  applied_set_.insert(transaction.id);
  if (applied_.size() > kAppliedKept) {
    applied_set_.erase(applied_.front());
    applied_.pop_front();
  }
  ++version_;
  ++transactions_;
}

const VolumeRecord* Structure::Find(VolumeId id) const {
  const auto it = volumes_.find(id);
  return it == volumes_.end() ? nullptr : &it->second;
}
const PointRecord* Structure::Find(PointId id) const {
  const auto it = points_.find(id);
  return it == points_.end() ? nullptr : &it->second;
}
std::unordered_map<LayerId, SequenceNumber> Structure::NewestRetainedOfLayers() const {
  std::unordered_map<LayerId, SequenceNumber> newest;
  for (const auto& [id, layer] : layers_)
    if (!layer.retained.empty() || layer.keeps()) newest.emplace(id, layer.NewestRetained());
  for (const LayerId id : sweep_.dropped) newest.emplace(id, kNow);
  for (const DeathSpan& f : sweep_.forgotten) newest[f.layer] = kNow;
  return newest;
}
const PointMember* Structure::Member(const PointRecord& point, VolumeId volume) {
  const auto it = point.index.find(volume);
  return it == point.index.end() ? nullptr : &point.members[it->second];
}

const LayerOwner* Structure::OwnerOf(LayerId id) const {
  const auto it = owners_.find(id);
  return it == owners_.end() ? nullptr : &it->second;
}
void Structure::ForgetOwnersBefore(SequenceNumber from) {
  owners_known_from_ = std::max(owners_known_from_, from);
  while (!ended_.empty() && owners_.at(ended_.front()).until < from) {
    owners_.erase(ended_.front());
    ended_.pop_front();
  }
}

void Structure::SetLogPosition(PointId id, const LogPosition& log) {
  const auto it = points_.find(id);
  if (it == points_.end()) return;  // released again before it was written
  it->second.log = log;
  changed_points_.insert(id);
  ++version_;
}

namespace {
// Replaces the first `count` of `all` by `left`.
template <typename T>
void ReplaceFront(std::vector<T>& all, size_t count, const std::vector<T>& left) {
  all.erase(all.begin(), all.begin() + static_cast<ptrdiff_t>(count));
  all.insert(all.begin(), left.begin(), left.end());
}
}  // namespace

void Structure::Swept(const SweepWork& done, const SweepWork& left) {
  if (done.empty()) return;
  ReplaceFront(sweep_.dropped, done.dropped.size(), left.dropped);
  ReplaceFront(sweep_.forgotten, done.forgotten.size(), left.forgotten);
  ReplaceFront(sweep_.tails, done.tails.size(), left.tails);
  ++version_;
}

void Structure::Do(const CreateVolume& c, SequenceNumber) {
  const LayerId top = NewLayer(kNoLayer, 0);
  layers_[top].tops = 1;
  volumes_[c.volume] = {c.volume, top, c.size};
  owners_[top] = {c.volume};
}
void Structure::Do(const DeleteVolume& c, SequenceNumber at) {
  CloseWindow(volumes_.at(c.volume), at);
  const LayerId top = volumes_.at(c.volume).top;
  volumes_.erase(c.volume);
  Untop(c.volume, top, at);
}
void Structure::Do(const ResizeVolume& c, SequenceNumber at) {
  VolumeRecord& v = volumes_.at(c.volume);
  v.size = c.size;
  BeginEra(v, at);
}

void Structure::Do(const TakePoint& c, SequenceNumber at) {
  if (LS_PLANTED(7)) ++at;
  PointRecord point{c.point, c.at == 0 ? at : c.at, {}, {}, {}};
  if (c.at != 0) point.log.next = 0;  // nobody knows where in the log that was
  point.members.reserve(c.volumes.size());
  point.index.reserve(c.volumes.size());
  for (const VolumeId& id : c.volumes) {
    const VolumeRecord& v = volumes_.at(id);
    point.index.emplace(id, static_cast<uint32_t>(point.members.size()));
    if (c.at == 0) {
      point.members.push_back({id, v.top, v.size});
    } else {
      const Era& era = v.EraAt(c.at);
      point.members.push_back({id, era.layer, era.size});
    }
    Retain(point.members.back().layer, point.position);
  }
  points_[c.point] = std::move(point);
  changed_points_.insert(c.point);
}
void Structure::Do(const ReleasePoint& c, SequenceNumber at) {
  const PointRecord point = std::move(points_.at(c.point));
  points_.erase(c.point);
  changed_points_.insert(c.point);
  for (const PointMember& m : point.members) Unretain(m.layer, point.position, at);
}
void Structure::Do(const Clone& c, SequenceNumber) {
  const PointRecord& point = points_.at(c.point);
  const PointMember& m = *Member(point, c.source);
  const LayerId top = NewLayer(m.layer, point.position);
  layers_[top].tops = 1;
  volumes_[c.volume] = {c.volume, top, c.size == 0 ? m.size : c.size};
  owners_[top] = {c.volume};
}
void Structure::Do(const SetContent& c, SequenceNumber at) {
  const PointRecord& point = points_.at(c.point);
  const PointMember& m = *Member(point, c.source);
  const LayerId top = NewLayer(m.layer, point.position);
  layers_[top].tops = 1;
  VolumeRecord& v = volumes_.at(c.volume);
  const LayerId old = std::exchange(v.top, top);
  v.size = std::max(v.size, m.size);
  owners_[top] = {c.volume};
  BeginEra(v, at);
  Untop(c.volume, old, at);
}

void Structure::SweepTailsAgain() {
  for (const auto& [id, layer] : layers_)
    if (layer.tops == 0) sweep_.tails.push_back({id, 0});
  ++version_;
}

LayerId Structure::NewLayer(LayerId parent, SequenceNumber parent_at) {
  const LayerId id = next_layer_++;
  Layer& layer = layers_[id];
  layer.id = id;
  layer.parent = parent;
  layer.parent_at = parent_at;
  if (parent != kNoLayer) Retain(parent, parent_at);
  if (IsDeep(id)) deep_.insert(id);
  return id;
}
void Structure::Retain(LayerId layer, SequenceNumber at) {
  auto& r = layers_.at(layer).retained;
  r.insert(std::upper_bound(r.begin(), r.end(), at), at);
}
void Structure::Unretain(LayerId layer, SequenceNumber at, SequenceNumber now) {
  Release(layers_.at(layer), at, now);
  DropIfDead(layer, now);
}
void Structure::Release(Layer& layer, SequenceNumber at, SequenceNumber now) {
  auto& r = layer.retained;
  auto it = std::lower_bound(r.begin(), r.end(), at);
  LS_ASSERT(it != r.end() && *it == at);
  it = r.erase(it);
  // What only this position saw died after it, and before the next position that still sees it would.
  if (layer.Keeps(at, at + 1)) return;
  const bool newest = it == r.end() && !layer.keeps();
  SequenceNumber next = it == r.end() ? now : std::min(*it, now);
  if (layer.keeps() && at < layer.keep_from) next = std::min(next, layer.keep_from);
  if (next > at) sweep_.forgotten.push_back({layer.id, at + 1, 0, 0, next});
  if (newest && next > at && layer.tops == 0) sweep_.tails.push_back({layer.id, 0});
}
void Structure::Untop(VolumeId volume, LayerId layer, SequenceNumber now) {
  Layer& l = layers_.at(layer);
  l.tops = 0;
  top_blocks_ -= l.used_blocks;
  if (!l.retained.empty() && !l.keeps()) sweep_.tails.push_back({layer, 0});
  owners_[layer] = {volume, now};
  ended_.push_back(layer);
  if (ended_.size() > kEndedKept) ForgetOwnersBefore(owners_.at(ended_.front()).until + 1);
  DropIfDead(layer, now);
}
void Structure::DropIfDead(LayerId id, SequenceNumber now) {
  // A loop, not a recursion: chains can be long.
  while (id != kNoLayer) {
    const auto it = layers_.find(id);
    if (it->second.tops != 0 || !it->second.retained.empty() || it->second.keeps()) return;
    const LayerId parent = it->second.parent;
    const SequenceNumber parent_at = it->second.parent_at;
    layers_.erase(it);
    deep_.erase(id);
    sweep_.dropped.push_back(id);
    if (parent != kNoLayer) Release(layers_.at(parent), parent_at, now);
    id = parent;
  }
}

}  // namespace lockstep::logstore
