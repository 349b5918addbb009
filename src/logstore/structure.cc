#include "logstore/structure.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/codec.h"

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
};

class Validator {
 public:
  explicit Validator(const Structure& structure) : s_(structure) {}

  Status Check(const CreateVolume& c) {
    if (SizeOf(c.volume)) return AlreadyExists(fmt::format("volume {} exists already", c.volume.ToString()));
    LS_RETURN_IF_ERROR(CheckSize(c.size));
    return Made(c.volume, c.size);
  }
  Status Check(const DeleteVolume& c) {
    if (!SizeOf(c.volume)) return NoVolume(c.volume);
    p_.volumes.erase(c.volume);
    p_.deleted.insert(c.volume);
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
  size_t objects() const { return objects_; }

 private:
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
  Pending p_;
  size_t objects_ = 0;
};

}  // namespace

bool Layer::Retains(SequenceNumber from, SequenceNumber to) const {
  const auto it = std::lower_bound(retained.begin(), retained.end(), from);
  return it != retained.end() && *it < to;
}

Status Structure::Validate(const Transaction& transaction) const {
  if (transaction.id.IsNil()) return InvalidArgument("a transaction needs an id");
  if (WasApplied(transaction.id)) return AlreadyExists("this transaction has been applied already");
  if (transaction.changes.empty()) return InvalidArgument("a transaction needs at least one change");
  Validator validator(*this);
  for (const Change& change : transaction.changes)
    LS_RETURN_IF_ERROR(std::visit([&](const auto& c) { return validator.Check(c); }, change));
  if (validator.objects() + transaction.changes.size() > kMaxObjects)
    return {Code::kTooLarge, fmt::format("a transaction can name at most {} objects", kMaxObjects)};
  return {};
}

void Structure::Apply(const Transaction& transaction, SequenceNumber at) {
  for (const Change& change : transaction.changes) std::visit([&](const auto& c) { Do(c, at); }, change);
  applied_.push_back(transaction.id);
  applied_set_.insert(transaction.id);
  if (applied_.size() > kAppliedKept) {
    applied_set_.erase(applied_.front());
    applied_.pop_front();
  }
  ++version_;
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
    if (!layer.retained.empty()) newest.emplace(id, layer.retained.back());
  for (const LayerId id : dropped_) newest.emplace(id, kNow);
  for (const DeathSpan& f : forgotten_) newest[f.layer] = kNow;
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
  ++version_;
}

void Structure::AddUsedBlocks(LayerId layer, int64_t delta) {
  const auto it = layers_.find(layer);
  if (it == layers_.end() || delta == 0) return;
  it->second.used_blocks = static_cast<uint64_t>(static_cast<int64_t>(it->second.used_blocks) + delta);
}

namespace {
// Replaces the first `count` of `all` by `left`.
template <typename T>
void ReplaceFront(std::vector<T>& all, size_t count, const std::vector<T>& left) {
  all.erase(all.begin(), all.begin() + static_cast<ptrdiff_t>(count));
  all.insert(all.begin(), left.begin(), left.end());
}
}  // namespace

void Structure::Swept(size_t layers, size_t spans, const std::vector<LayerId>& layers_left,
                      const std::vector<DeathSpan>& spans_left) {
  if (layers == 0 && spans == 0) return;
  ReplaceFront(dropped_, layers, layers_left);
  ReplaceFront(forgotten_, spans, spans_left);
  ++version_;
}

void Structure::Do(const CreateVolume& c, SequenceNumber) {
  const LayerId top = NewLayer(kNoLayer, 0);
  layers_[top].tops = 1;
  volumes_[c.volume] = {c.volume, top, c.size};
  owners_[top] = {c.volume};
}
void Structure::Do(const DeleteVolume& c, SequenceNumber at) {
  const LayerId top = volumes_.at(c.volume).top;
  volumes_.erase(c.volume);
  Untop(c.volume, top, at);
}
void Structure::Do(const ResizeVolume& c, SequenceNumber) {
  volumes_.at(c.volume).size = c.size;
}

void Structure::Do(const TakePoint& c, SequenceNumber at) {
  PointRecord point{c.point, at, {}, {}, {}};
  point.members.reserve(c.volumes.size());
  point.index.reserve(c.volumes.size());
  for (const VolumeId& id : c.volumes) {
    const VolumeRecord& v = volumes_.at(id);
    point.index.emplace(id, static_cast<uint32_t>(point.members.size()));
    point.members.push_back({id, v.top, v.size});
    Retain(v.top, at);
  }
  points_[c.point] = std::move(point);
}
void Structure::Do(const ReleasePoint& c, SequenceNumber at) {
  const PointRecord point = std::move(points_.at(c.point));
  points_.erase(c.point);
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
  Untop(c.volume, old, at);
}

LayerId Structure::NewLayer(LayerId parent, SequenceNumber parent_at) {
  const LayerId id = next_layer_++;
  layers_[id] = {.id = id, .parent = parent, .parent_at = parent_at, .tops = 0, .retained = {}, .used_blocks = 0};
  if (parent != kNoLayer) Retain(parent, parent_at);
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
  const SequenceNumber next = it == r.end() ? now : std::min(*it, now);
  if (next > at) forgotten_.push_back({layer.id, at + 1, 0, 0, next});
}
void Structure::Untop(VolumeId volume, LayerId layer, SequenceNumber now) {
  layers_.at(layer).tops = 0;
  owners_[layer] = {volume, now};
  ended_.push_back(layer);
  if (ended_.size() > kEndedKept) ForgetOwnersBefore(owners_.at(ended_.front()).until + 1);
  DropIfDead(layer, now);
}
void Structure::DropIfDead(LayerId id, SequenceNumber now) {
  // A loop, not a recursion: chains can be long.
  while (id != kNoLayer) {
    const auto it = layers_.find(id);
    if (it->second.tops != 0 || !it->second.retained.empty()) return;
    const LayerId parent = it->second.parent;
    const SequenceNumber parent_at = it->second.parent_at;
    layers_.erase(it);
    dropped_.push_back(id);
    if (parent != kNoLayer) Release(layers_.at(parent), parent_at, now);
    id = parent;
  }
}

}  // namespace lockstep::logstore
