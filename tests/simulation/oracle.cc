#include "tests/simulation/oracle.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "base/assert.h"

namespace lockstep::simulation {

using block::kBlockSize;

void Paint(std::byte* block, Tag tag, uint64_t number) {
  std::memset(block, 0, kBlockSize);
  if (tag == 0) return;
  const uint64_t word = uint64_t{tag} << 32 | (number & 0xffffffff);
  for (size_t i = 0; i < kBlockSize; i += 8) std::memcpy(block + i, &word, 8);
}

Tag Recognize(const std::byte* block, uint64_t number) {
  uint64_t word, other;
  std::memcpy(&word, block, 8);
  for (size_t i = 8; i < kBlockSize; i += 8) {
    std::memcpy(&other, block + i, 8);
    if (other != word) return kBad;
  }
  if (word == 0) return 0;
  return (word & 0xffffffff) == number ? static_cast<Tag>(word >> 32) : kBad;
}

Oracle::WriteIndex Oracle::Submit(VolumeId volume, uint64_t first, uint64_t count, Tag tag) {
  const auto index = static_cast<WriteIndex>(writes_.size());
  writes_.push_back({volume, first, count, tag, ++now_, kNever, false, false});
  Volume& v = volumes_.at(volume);
  for (uint64_t b = first; b < first + count; ++b) {
    v.writes[b].push_back(index);
    ever_.insert({b, tag});
  }
  return index;
}

void Oracle::Acknowledge(WriteIndex write) { writes_[write].acknowledged = ++now_; }
void Oracle::Refuse(WriteIndex write) { writes_[write].refused = true; }
void Oracle::Durable(WriteIndex write) {
  writes_[write].durable = true;
  Durable(writes_[write].submitted);
}

std::optional<Event> Oracle::Explains(const Volume& volume, uint64_t block, Tag tag, Event least, Event before,
                                      bool count_durable) const {
  const std::vector<uint32_t>& all = volume.writes[block];
  const auto superseded = [&](Event acknowledged) {
    return std::any_of(all.begin(), all.end(), [&](uint32_t i) {
      const Write& w = writes_[i];
      return w.submitted > acknowledged && !w.refused && (w.acknowledged < least || (count_durable && w.durable));
    });
  };
  std::optional<Event> earliest;
  if (volume.base[block] == tag && !superseded(0)) earliest = 0;
  for (const uint32_t i : all) {
    const Write& w = writes_[i];
    if (w.tag != tag || w.refused || w.submitted >= before || superseded(w.acknowledged)) continue;
    earliest = std::min(earliest.value_or(kNever), w.submitted);
  }
  return earliest;
}

std::string Oracle::Explain(const Volume& volume, uint64_t block, Tag tag, Event least) const {
  std::string text = fmt::format("it holds {}, everything acknowledged before event {} must be there; it began with {}",
                                 tag == kBad ? "garbage" : fmt::format("tag {}", tag), least, volume.base[block]);
  const auto& all = volume.writes[block];
  for (size_t i = all.size() > 12 ? all.size() - 12 : 0; i < all.size(); ++i) {
    const Write& w = writes_[all[i]];
    text += fmt::format("; tag {} submitted at {}{}", w.tag, w.submitted,
                        w.refused                  ? " refused"
                        : w.acknowledged == kNever ? " not acknowledged"
                                                   : fmt::format(" acknowledged at {}", w.acknowledged));
    if (w.durable) text += " durable";
  }
  return text;
}

Oracle::Problem Oracle::CheckRead(VolumeId volume, uint64_t first, const Contents& seen, Event submitted) const {
  const auto it = volumes_.find(volume);
  if (it == volumes_.end()) return std::nullopt;
  for (size_t i = 0; i < seen.size(); ++i)
    if (!Explains(it->second, first + i, seen[i], submitted, kNever, false))
      return fmt::format("a read of volume {} block {} is wrong: {}", volume.ToString(), first + i,
                         Explain(it->second, first + i, seen[i], submitted));
  return std::nullopt;
}

Oracle::Problem Oracle::CheckPointRead(PointId point, VolumeId volume, uint64_t first, const Contents& seen) const {
  const auto it = points_.find(point);
  if (it == points_.end() || !it->second.known()) return std::nullopt;
  const Contents& frozen = it->second.seen.at(volume);
  for (size_t i = 0; i < seen.size(); ++i)
    if (frozen.at(first + i) != seen[i])
      return fmt::format("point {} has changed: block {} of volume {} holds tag {}, was {}", point.ToString(),
                         first + i, volume.ToString(), seen[i], frozen[first + i]);
  return std::nullopt;
}

Oracle::Problem Oracle::CheckCut(const std::map<VolumeId, const Volume*>& volumes,
                                 const std::map<VolumeId, Contents>& seen, Event least, Event before,
                                 bool count_durable) const {
  for (bool again = true; std::exchange(again, false);) {
    for (const auto& [id, volume] : volumes) {
      const Contents& contents = seen.at(id);
      for (size_t b = 0; b < volume->blocks(); ++b) {
        const auto earliest = Explains(*volume, b, contents[b], least, before, count_durable);
        if (!earliest)
          return fmt::format("volume {} block {} is wrong: {}", id.ToString(), b,
                             Explain(*volume, b, contents[b], least));
        if (*earliest <= least) continue;
        least = *earliest;
        again = true;
      }
    }
  }
  return std::nullopt;
}

Oracle::Problem Oracle::Learn(PointId id, const std::map<VolumeId, Contents>& seen) {
  Point& point = points_.at(id);
  std::map<VolumeId, const Volume*> volumes;
  for (const auto& [v, volume] : point.taken_from) volumes.emplace(v, &volume);
  if (auto problem = CheckCut(volumes, seen, point.submitted, point.answered, false))
    return fmt::format("point {}: {}", id.ToString(), *problem);
  point.seen = seen;
  point.taken_from.clear();
  FillBases(id);
  return std::nullopt;
}

void Oracle::FillBases(PointId id) {
  for (auto it = unknown_bases_.begin(); it != unknown_bases_.end();) {
    if (it->second.first != id) {
      ++it;
      continue;
    }
    const auto volume = volumes_.find(it->first);
    if (volume != volumes_.end()) {
      const Contents& from = points_.at(id).seen.at(it->second.second);
      std::copy(from.begin(), from.end(), volume->second.base.begin());
    }
    it = unknown_bases_.erase(it);
  }
}

void Oracle::Begin(const block::Transaction& transaction) {
  LS_ASSERT(!pending_);
  pending_ = transaction;
  pending_since_ = ++now_;
}

void Oracle::Applied() {
  ++now_;
  MakeAll();
  Durable(pending_since_);
  pending_.reset();
}

void Oracle::Refused() { pending_.reset(); }

void Oracle::MakeAll() {
  for (const block::Change& change : pending_->changes) std::visit([this](const auto& c) { Make(c); }, change);
}

void Oracle::Make(const block::CreateVolume& c) {
  Volume& v = volumes_[c.volume];
  v.base.assign(c.size / kBlockSize, 0);
  v.writes.resize(v.base.size());
}
void Oracle::Make(const block::DeleteVolume& c) {
  volumes_.erase(c.volume);
  unknown_bases_.erase(c.volume);
}
void Oracle::Make(const block::ResizeVolume& c) {
  Volume& v = volumes_.at(c.volume);
  v.base.resize(c.size / kBlockSize, 0);
  v.writes.resize(v.base.size());
}
void Oracle::Make(const block::TakePoint& c) {
  Point& point = points_[c.point];
  point.submitted = pending_since_;
  point.answered = now_;
  for (const VolumeId& v : c.volumes) point.taken_from[v] = volumes_.at(v);
}
void Oracle::Make(const block::ReleasePoint& c) { points_.erase(c.point); }
void Oracle::Make(const block::Clone& c) {
  const Point& point = points_.at(c.point);
  const size_t source = point.known() ? point.seen.at(c.source).size() : point.taken_from.at(c.source).blocks();
  Replace(c.volume, c.point, c.source, std::max<size_t>(source, c.size / kBlockSize));
}
void Oracle::Make(const block::SetContent& c) {
  const Point& point = points_.at(c.point);
  const size_t source = point.known() ? point.seen.at(c.source).size() : point.taken_from.at(c.source).blocks();
  Replace(c.volume, c.point, c.source, std::max(source, volumes_.at(c.volume).blocks()));
}
void Oracle::Replace(VolumeId volume, PointId point, VolumeId source, size_t blocks) {
  Volume& v = volumes_[volume];
  v = {};
  v.base.assign(blocks, 0);
  v.writes.resize(blocks);
  unknown_bases_[volume] = {point, source};
  if (points_.at(point).known()) FillBases(point);
}

Oracle::Problem Oracle::CheckNames(const std::map<VolumeId, Contents>& volumes,
                                   const std::map<PointId, std::map<VolumeId, Contents>>& points) const {
  for (const auto& [id, volume] : volumes_) {
    const auto it = volumes.find(id);
    if (it == volumes.end()) return fmt::format("volume {} is gone", id.ToString());
    if (it->second.size() != volume.blocks())
      return fmt::format("volume {} has {} blocks instead of {}", id.ToString(), it->second.size(), volume.blocks());
  }
  for (const auto& [id, contents] : volumes)
    if (!volumes_.contains(id)) return fmt::format("volume {} should not be there", id.ToString());
  for (const auto& [id, point] : points_)
    if (!points.contains(id)) return fmt::format("point {} is gone", id.ToString());
  for (const auto& [id, members] : points)
    if (!points_.contains(id)) return fmt::format("point {} should not be there", id.ToString());
  return std::nullopt;
}

Oracle::Problem Oracle::Restarted(bool applied, bool crashed, const std::map<VolumeId, Contents>& volumes,
                                  const std::map<PointId, std::map<VolumeId, Contents>>& points) {
  ++now_;
  Event least = crashed ? durable_ : now_;
  if (pending_ && applied) {
    MakeAll();
    least = std::max(least, pending_since_);
  }
  pending_.reset();
  if (auto problem = CheckNames(volumes, points)) return problem;
  for (const auto& [id, members] : points) {
    const Point& point = points_.at(id);
    if (!point.known()) {
      if (auto problem = Learn(id, members)) return problem;
      continue;
    }
    for (const auto& [v, contents] : members)
      if (auto problem = CheckPointRead(id, v, 0, contents)) return problem;
  }
  std::map<VolumeId, const Volume*> models;
  for (const auto& [id, volume] : volumes_) models.emplace(id, &volume);
  if (auto problem = CheckCut(models, volumes, least, kNever, crashed)) return problem;
  for (auto& [id, volume] : volumes_) {
    volume.base = volumes.at(id);
    volume.writes.assign(volume.base.size(), {});
  }
  writes_.clear();
  durable_ = now_;
  return std::nullopt;
}

}  // namespace lockstep::simulation
