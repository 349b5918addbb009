// Windows: which positions of a volume's past are kept, and how they are let go.
#include "base/codec.h"
#include "logstore/structure.h"

namespace lockstep::logstore {

using namespace block;  // NOLINT

const Era& VolumeRecord::EraAt(SequenceNumber at) const {
  const auto behind =
      std::upper_bound(eras.begin(), eras.end(), at, [](SequenceNumber p, const Era& era) { return p < era.from; });
  LS_ASSERT(behind != eras.begin());
  return *std::prev(behind);
}

io::WallTime Structure::OldestHistory(io::WallTime otherwise) const {
  for (const VolumeId& id : windows_) otherwise = std::min(otherwise, volumes_.at(id).history_since);
  return otherwise;
}

void Structure::Do(const SetHistory& c, SequenceNumber at) {
  for (const VolumeId& id : c.volumes) {
    VolumeRecord& v = volumes_.at(id);
    if (!c.window.on()) {
      CloseWindow(v, at);
      continue;
    }
    v.window = c.window;
    if (v.history_from != 0) continue;
    v.history_from = at;
    v.history_since = now_;
    windows_.insert(id);
    BeginEra(v, at);
  }
}

void Structure::Do(const TrimHistory& c, SequenceNumber at) {
  VolumeRecord& v = volumes_.at(c.volume);
  if (c.from <= v.history_from) return;
  v.history_from = c.from;
  v.history_since = std::max(v.history_since, c.since);
  // Eras that ended before; their layers go, but for one that goes on in a later era.
  size_t first = 0;
  while (first + 1 < v.eras.size() && v.eras[first + 1].from <= c.from) ++first;
  std::vector<LayerId> gone;
  for (size_t i = 0; i < first; ++i)
    if (v.eras[i].layer != v.eras[first].layer && (gone.empty() || gone.back() != v.eras[i].layer))
      gone.push_back(v.eras[i].layer);
  v.eras.erase(v.eras.begin(), v.eras.begin() + static_cast<ptrdiff_t>(first));
  MoveKept(v.eras.front().layer, c.from, at);
  for (const LayerId layer : gone) LoseKept(layer, at);
}

// The present becomes the newest era of the window, if there is one.
void Structure::BeginEra(VolumeRecord& v, SequenceNumber at) {
  if (v.history_from == 0) return;
  Layer& top = layers_.at(v.top);
  if (!v.eras.empty() && v.eras.back().layer != v.top) {
    const LayerId old = v.eras.back().layer;
    layers_.at(old).keep_to = at - 1;
    // One that began in this same transaction was never seen.
    if (v.eras.back().from == at) v.eras.pop_back();
  }
  if (!v.eras.empty() && v.eras.back().from == at)
    v.eras.back().size = v.size;
  else
    v.eras.push_back({at, v.top, v.size});
  if (!top.keeps()) top.keep_from = at;
  top.keep_to = kNow;
}

void Structure::CloseWindow(VolumeRecord& v, SequenceNumber now) {
  if (v.history_from == 0) return;
  const std::vector<Era> eras = std::exchange(v.eras, {});
  v.window = {};
  v.history_from = 0;
  v.history_since = {};
  windows_.erase(v.id);
  LayerId last = kNoLayer;
  for (const Era& era : eras)
    if (std::exchange(last, era.layer) != era.layer) LoseKept(era.layer, now);
}

// REQUIRES: the layer exists.
void Structure::LoseKept(LayerId id, SequenceNumber now) {
  Layer& layer = layers_.at(id);
  if (!layer.keeps()) return DropIfDead(id, now);
  const SequenceNumber from = layer.keep_from;
  layer.keep_from = kNow;
  layer.keep_to = 0;
  if (layer.tops == 0 && layer.retained.empty()) return DropIfDead(id, now);
  sweep_.forgotten.push_back({id, from + 1, 0, 0, now});
  if (layer.tops == 0) sweep_.tails.push_back({id, 0});
}

void Structure::MoveKept(LayerId id, SequenceNumber from, SequenceNumber now) {
  Layer& layer = layers_.at(id);
  if (!layer.keeps() || layer.keep_from >= from) return;
  if (from > layer.keep_to) return LoseKept(id, now);
  sweep_.forgotten.push_back({id, layer.keep_from + 1, 0, 0, from});
  layer.keep_from = from;
}

void Structure::EncodeWindows(Encoder& e) const {
  e.Little(static_cast<uint32_t>(windows_.size()));
  for (const VolumeId& id : windows_) {
    const VolumeRecord& v = volumes_.at(id);
    e.Bytes(id.uuid.bytes);
    e.Little(v.window.seconds).Little(v.window.bytes).Little(v.history_from);
    e.Little(static_cast<uint64_t>(v.history_since.us)).Little(static_cast<uint32_t>(v.eras.size()));
    for (const Era& era : v.eras) e.Little(era.from).Little(era.layer).Little(era.size);
  }
}

bool Structure::DecodeWindows(Decoder& d, uint8_t version) {
  constexpr uint8_t kFirstWithWindows = 5;
  uint32_t count = version < kFirstWithWindows ? 0 : d.Little<uint32_t>();
  for (; count > 0 && d.ok(); --count) {
    VolumeId id;
    d.Bytes(id.uuid.bytes);
    const auto found = volumes_.find(id);
    if (found == volumes_.end() || !windows_.insert(id).second) return false;
    VolumeRecord& v = found->second;
    v.window.seconds = d.Little<uint64_t>();
    v.window.bytes = d.Little<uint64_t>();
    v.history_from = d.Little<uint64_t>();
    v.history_since.us = static_cast<int64_t>(d.Little<uint64_t>());
    uint32_t eras = d.Little<uint32_t>();
    SequenceNumber before = 0;
    for (; eras > 0 && d.ok(); --eras) {
      Era era;
      era.from = d.Little<uint64_t>();
      era.layer = d.Little<uint32_t>();
      era.size = d.Little<uint64_t>();
      const auto layer = layers_.find(era.layer);
      if (layer == layers_.end() || era.from <= before) return false;
      before = era.from;
      if (!v.eras.empty() && v.eras.back().layer != era.layer) layers_.at(v.eras.back().layer).keep_to = era.from - 1;
      if (!layer->second.keeps()) layer->second.keep_from = std::max(era.from, v.history_from);
      layer->second.keep_to = kNow;
      v.eras.push_back(era);
    }
    if (v.history_from == 0 || v.eras.empty() || v.eras.back().layer != v.top || v.eras.front().from > v.history_from)
      return false;
  }
  return d.ok();
}

}  // namespace lockstep::logstore
