// Structure and transactions as bytes: the checkpoint in the index, and the payload of a transaction entry in the log.
#include <fmt/format.h>

#include <algorithm>

#include "base/codec.h"
#include "logstore/structure.h"

namespace lockstep::logstore {
namespace {

using namespace block;  // NOLINT

// 1 had no spans of forgotten history, 2 not the former owners of layers, 3 no tails of layers, 4 no windows; 5 had the
// points between volumes and what is to be swept, and did not say which entry had written to a layer last.
constexpr uint8_t kStructureVersion = 6;
constexpr uint8_t kFirstWithPointsApart = 6;

template <typename Tag>
void Put(Encoder& e, const Id<Tag>& id) {
  e.Bytes(id.uuid.bytes);
}
template <typename Tag>
void Get(Decoder& d, Id<Tag>& id) {
  d.Bytes(id.uuid.bytes);
}

void Put(Encoder& e, const LogPosition& p) {
  PutPosition(e, p);
}

// A count of things of at least `each` bytes; turns the decoder bad when so many cannot follow.
uint32_t GetCount(Decoder& d, size_t each) {
  const uint32_t n = d.Little<uint32_t>();
  if (uint64_t{n} * each <= d.remaining()) return n;
  d.View(d.remaining() + 1);
  return 0;
}

enum ChangeTag : uint8_t { kCreate = 1, kDelete, kResize, kTake, kRelease, kClone, kSet, kWindow, kTrim, kTakePast };

void PutChange(Encoder& e, const CreateVolume& c) {
  e.Little(uint8_t{kCreate});
  Put(e, c.volume);
  e.Little(c.size);
}
void PutChange(Encoder& e, const DeleteVolume& c) {
  e.Little(uint8_t{kDelete});
  Put(e, c.volume);
}
void PutChange(Encoder& e, const ResizeVolume& c) {
  e.Little(uint8_t{kResize});
  Put(e, c.volume);
  e.Little(c.size);
}
void PutChange(Encoder& e, const TakePoint& c) {
  e.Little(static_cast<uint8_t>(c.at == 0 ? kTake : kTakePast));
  Put(e, c.point);
  if (c.at != 0) e.Little(c.at);
  e.Little(static_cast<uint32_t>(c.volumes.size()));
  for (const VolumeId& v : c.volumes) Put(e, v);
}
void PutChange(Encoder& e, const ReleasePoint& c) {
  e.Little(uint8_t{kRelease});
  Put(e, c.point);
}
void PutChange(Encoder& e, const Clone& c) {
  e.Little(uint8_t{kClone});
  Put(e, c.point), Put(e, c.source), Put(e, c.volume);
  e.Little(c.size);
}
void PutChange(Encoder& e, const SetContent& c) {
  e.Little(uint8_t{kSet});
  Put(e, c.volume), Put(e, c.point), Put(e, c.source);
}

void PutChange(Encoder& e, const SetHistory& c) {
  e.Little(uint8_t{kWindow}).Little(c.window.seconds).Little(c.window.bytes);
  e.Little(static_cast<uint32_t>(c.volumes.size()));
  for (const VolumeId& v : c.volumes) Put(e, v);
}
void PutChange(Encoder& e, const TrimHistory& c) {
  e.Little(uint8_t{kTrim});
  Put(e, c.volume);
  e.Little(c.from).Little(static_cast<uint64_t>(c.since.us));
}

bool GetHistoryChange(Decoder& d, uint8_t tag, Change& out) {
  if (tag == kWindow) {
    SetHistory c;
    c.window.seconds = d.Little<uint64_t>();
    c.window.bytes = d.Little<uint64_t>();
    c.volumes.resize(GetCount(d, 16));
    for (VolumeId& v : c.volumes) Get(d, v);
    out = std::move(c);
    return true;
  }
  if (tag != kTrim) return false;
  TrimHistory c;
  Get(d, c.volume);
  c.from = d.Little<uint64_t>();
  c.since.us = static_cast<int64_t>(d.Little<uint64_t>());
  out = c;
  return true;
}

bool GetChange(Decoder& d, Change& out) {
  const uint8_t tag = d.Little<uint8_t>();
  switch (tag) {
    case kCreate: {
      CreateVolume c;
      Get(d, c.volume);
      c.size = d.Little<uint64_t>();
      out = c;
      return true;
    }
    case kDelete: {
      DeleteVolume c;
      Get(d, c.volume);
      out = c;
      return true;
    }
    case kResize: {
      ResizeVolume c;
      Get(d, c.volume);
      c.size = d.Little<uint64_t>();
      out = c;
      return true;
    }
    case kTake:
    case kTakePast: {
      TakePoint c;
      Get(d, c.point);
      if (tag == kTakePast) c.at = d.Little<uint64_t>();
      c.volumes.resize(GetCount(d, 16));
      for (VolumeId& v : c.volumes) Get(d, v);
      out = std::move(c);
      return true;
    }
    case kRelease: {
      ReleasePoint c;
      Get(d, c.point);
      out = c;
      return true;
    }
    case kClone: {
      Clone c;
      Get(d, c.point), Get(d, c.source), Get(d, c.volume);
      c.size = d.Little<uint64_t>();
      out = c;
      return true;
    }
    case kSet: {
      SetContent c;
      Get(d, c.volume), Get(d, c.point), Get(d, c.source);
      out = c;
      return true;
    }
    default:
      return GetHistoryChange(d, tag, out);
  }
}

}  // namespace

std::string EncodeTransaction(const LoggedTransaction& logged) {
  const Transaction& transaction = logged.transaction;
  std::string out;
  Encoder e(out);
  Put(e, transaction.id);
  e.Little(static_cast<uint32_t>(transaction.changes.size()));
  for (const Change& change : transaction.changes) std::visit([&](const auto& c) { PutChange(e, c); }, change);
  if (logged.time != io::WallTime()) e.Little(static_cast<uint64_t>(logged.time.us));
  return out;
}

Result<LoggedTransaction> DecodeTransaction(std::string_view bytes) {
  Decoder d(bytes);
  LoggedTransaction logged;
  Transaction& t = logged.transaction;
  Get(d, t.id);
  const uint32_t count = GetCount(d, 17);
  t.changes.reserve(count);
  for (uint32_t i = 0; i < count; ++i) {
    Change change;
    if (!GetChange(d, change)) return Corrupted("a transaction in the log holds a change of an unknown kind");
    t.changes.push_back(std::move(change));
  }
  if (d.ok() && d.remaining() == 8) {
    logged.time.us = static_cast<int64_t>(d.Little<uint64_t>());
    if (logged.time == io::WallTime()) return Corrupted("a transaction in the log tells a time that is none");
  }
  if (!d.ok() || d.remaining() != 0) return Corrupted("a transaction in the log has the wrong length");
  return logged;
}

std::string Structure::EncodePoint(const PointRecord& p) {
  std::string out;
  Encoder e(out);
  Put(e, p.id);
  e.Little(p.position);
  Put(e, p.log);
  e.Little(static_cast<uint32_t>(p.members.size()));
  for (const PointMember& m : p.members) Put(e, m.volume), e.Little(m.layer).Little(m.size);
  return out;
}

std::vector<std::pair<PointId, std::string>> Structure::TakeChangedPoints() {
  std::vector<std::pair<PointId, std::string>> changed;
  changed.reserve(changed_points_.size());
  for (const PointId& id : changed_points_) {
    const PointRecord* point = Find(id);
    changed.emplace_back(id, point ? EncodePoint(*point) : std::string());
  }
  changed_points_.clear();
  return changed;
}

void Structure::AllPointsChanged() {
  for (const auto& [id, point] : points_) changed_points_.insert(id);
}

std::string Structure::Encode() const {
  std::string out = EncodeBase();
  for (const auto& [id, point] : points_) out += EncodePoint(point);
  return out;
}

std::string Structure::EncodeBase() const {
  std::string out;
  Encoder e(out);
  e.Little(kStructureVersion).Little(next_layer_);
  e.Little(static_cast<uint32_t>(layers_.size()));
  for (const auto& [id, l] : layers_) e.Little(id).Little(l.parent).Little(l.parent_at).Little(l.written);
  e.Little(static_cast<uint32_t>(volumes_.size()));
  for (const auto& [id, v] : volumes_) Put(e, id), e.Little(v.top).Little(v.size);
  e.Little(static_cast<uint32_t>(sweep_.dropped.size()));
  for (const LayerId id : sweep_.dropped) e.Little(id);
  e.Little(static_cast<uint32_t>(applied_.size()));
  for (const TransactionId& id : applied_) Put(e, id);
  e.Little(static_cast<uint32_t>(sweep_.forgotten.size()));
  for (const DeathSpan& f : sweep_.forgotten)
    e.Little(f.layer).Little(f.death).Little(f.block).Little(f.birth).Little(f.upto);
  e.Little(owners_known_from_);
  e.Little(static_cast<uint32_t>(ended_.size()));
  for (const LayerId id : ended_) {
    const LayerOwner& owner = owners_.at(id);
    e.Little(id);
    Put(e, owner.volume);
    e.Little(owner.until);
  }
  e.Little(static_cast<uint32_t>(sweep_.tails.size()));
  for (const LayerTail& t : sweep_.tails) e.Little(t.layer).Little(t.chunk);
  EncodeWindows(e);
  return out;
}

bool Structure::DecodeOwners(Decoder& d, uint8_t version) {
  owners_known_from_ = version < 3 ? kNow : d.Little<uint64_t>();
  for (uint32_t n = version < 3 ? 0 : GetCount(d, 28); n > 0; --n) {
    const LayerId id = d.Little<uint32_t>();
    LayerOwner owner;
    Get(d, owner.volume);
    owner.until = d.Little<uint64_t>();
    if (!owners_.emplace(id, owner).second) return false;
    ended_.push_back(id);
  }
  for (const auto& [id, v] : volumes_)
    if (!owners_.emplace(v.top, LayerOwner{id}).second) return false;
  return true;
}

void Structure::DecodeSpans(Decoder& d, uint8_t version) {
  for (uint32_t n = version < 2 ? 0 : GetCount(d, 36); n > 0; --n) {
    DeathSpan f;
    f.layer = d.Little<uint32_t>();
    f.death = d.Little<uint64_t>();
    f.block = d.Little<uint64_t>();
    f.birth = d.Little<uint64_t>();
    f.upto = d.Little<uint64_t>();
    sweep_.forgotten.push_back(f);
  }
}

void Structure::DecodeTails(Decoder& d, uint8_t version) {
  for (uint32_t n = version < 4 ? 0 : GetCount(d, 12); n > 0; --n) {
    LayerTail tail;
    tail.layer = d.Little<uint32_t>();
    tail.chunk = d.Little<uint64_t>();
    sweep_.tails.push_back(tail);
  }
  // Earlier versions left them where they were.
  for (const auto& [id, l] : layers_)
    if (version < 4 && l.tops == 0) sweep_.tails.push_back({id, 0});
}

bool Structure::DecodePoint(Decoder& d) {
  PointRecord p;
  Get(d, p.id);
  p.position = d.Little<uint64_t>();
  p.log = GetPosition(d);
  p.members.resize(GetCount(d, 28));
  for (PointMember& m : p.members) {
    Get(d, m.volume);
    m.layer = d.Little<uint32_t>();
    m.size = d.Little<uint64_t>();
    const auto layer = layers_.find(m.layer);
    if (layer == layers_.end()) return false;
    layer->second.retained.push_back(p.position);  // sorted when all are there
    p.index.emplace(m.volume, static_cast<uint32_t>(p.index.size()));
  }
  points_[p.id] = std::move(p);
  return d.ok();
}

Result<Structure> Structure::Decode(std::string_view bytes) {
  Decoder d(bytes);
  Structure s;
  const Status bad = Corrupted("the checkpoint of the pool's structure is damaged");
  const uint8_t version = d.Little<uint8_t>();
  if (version == 0 || version > kStructureVersion) return bad;
  s.next_layer_ = d.Little<uint32_t>();
  for (uint32_t n = GetCount(d, version < kFirstWithPointsApart ? 16 : 24); n > 0; --n) {
    Layer l;
    l.id = d.Little<uint32_t>();
    l.parent = d.Little<uint32_t>();
    l.parent_at = d.Little<uint64_t>();
    l.written = version < kFirstWithPointsApart ? kNow : d.Little<uint64_t>();
    s.layers_[l.id] = l;
  }
  for (uint32_t n = GetCount(d, 28); n > 0; --n) {
    VolumeRecord v;
    Get(d, v.id);
    v.top = d.Little<uint32_t>();
    v.size = d.Little<uint64_t>();
    if (!s.layers_.contains(v.top)) return bad;
    s.layers_[v.top].tops = 1;
    s.volumes_[v.id] = v;
  }
  if (version < kFirstWithPointsApart)
    for (uint32_t n = GetCount(d, 56); n > 0; --n)
      if (!s.DecodePoint(d)) return bad;
  for (uint32_t n = GetCount(d, 4); n > 0; --n) s.sweep_.dropped.push_back(d.Little<uint32_t>());
  for (uint32_t n = GetCount(d, 16); n > 0; --n) {
    TransactionId id;
    Get(d, id);
    s.applied_.push_back(id);
    s.applied_set_.insert(id);
  }
  s.DecodeSpans(d, version);
  if (!s.DecodeOwners(d, version)) return bad;
  s.DecodeTails(d, version);
  if (!s.DecodeWindows(d, version)) return bad;
  while (version >= kFirstWithPointsApart && d.ok() && d.remaining() != 0)
    if (!s.DecodePoint(d)) return bad;
  if (!d.ok() || d.remaining() != 0) return bad;
  for (const auto& [id, l] : s.layers_) {
    if (l.parent == kNoLayer) continue;
    // So there are no circles.
    if (l.parent >= id || !s.layers_.contains(l.parent)) return bad;
    s.layers_.at(l.parent).retained.push_back(l.parent_at);
  }
  for (auto& [id, l] : s.layers_) {
    std::sort(l.retained.begin(), l.retained.end());
    if (s.IsDeep(id)) s.deep_.insert(id);
  }
  // Where they are kept one by one, they are as they should be.
  if (version < kFirstWithPointsApart) s.AllPointsChanged();
  return s;
}

}  // namespace lockstep::logstore
