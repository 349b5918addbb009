#include "tests/simulation/follower.h"

#include <fmt/format.h>

namespace lockstep::simulation {

using block::kBlockSize;

Follower::~Follower() {
  if (node_.report().stuck) (void)stream_.release();
}

void Follower::Problem(std::string what) {
  lost_ = true;
  node_.report().Add("the change stream " + std::move(what));
}

void Follower::Start(PointId point) {
  const auto info = node_.pool().Find(point);
  if (!info.ok()) return;
  std::vector<VolumeId> volumes;
  for (const VolumeId& v : info->volumes)
    if (node_.oracle().volumes().contains(v)) volumes.push_back(v);
  if (volumes.empty()) return;
  auto stream = node_.pool().Changes(volumes, info->position);
  if (!stream.ok()) {
    // Others may have used up the log meanwhile; nothing else keeps it from being read.
    if (stream.status().code() != Code::kInvalidState) Problem("cannot be opened: " + stream.status().ToString());
    return;
  }
  stream_ = std::move(*stream);
  for (const VolumeId& v : volumes) replica_[v] = node_.archive().at(point).at(v);
  points_[point] = replica_;
  last_ = info->position - 1;
  running_ = true;
  Spawn(Follow());
}

void Follower::Stop() {
  if (stream_) stream_->Close();
}

Task<void> Follower::Follow() {
  uint64_t batches = 0;
  while (true) {
    Result<block::ChangeBatch> batch = co_await stream_->Next();
    if (!batch.ok()) {
      const Code code = batch.status().code();
      const Excuses& excuses = node_.excuses();
      const bool excused = node_.env().faults().power_is_cut() || excuses.io_errors || excuses.bad_reads ||
                           excuses.damage;
      if (code != Code::kInvalidState && code != Code::kCancelled && !excused)
        Problem("ends: " + batch.status().ToString());
      lost_ = true;
      break;
    }
    for (const block::StreamEvent& event : batch->events) {
      const auto sequence = std::visit([](const auto& e) { return e.sequence; }, event);
      if (sequence < last_) Problem("goes backwards");
      last_ = sequence;
      std::visit([this](const auto& e) { Take(e); }, event);
    }
    if (batch->upto < upto_ || batch->upto < last_) Problem("tells a position that is behind what it told");
    upto_ = batch->upto;
    ++node_.report().counts["stream batches"];
    node_.env().trace().Add("stream", {batch->upto, batch->durable, batch->events.size()});
    if (!lazy_ || ++batches % 8 == 0) stream_->Confirm(upto_);
  }
  running_ = false;
}

void Follower::Take(const block::StreamWrite& w) {
  const auto it = replica_.find(w.volume);
  if (it == replica_.end()) return;
  for (size_t i = 0; i < w.data.size() / kBlockSize; ++i) {
    const uint64_t b = w.offset / kBlockSize + i;
    if (b >= it->second.size()) return Problem("tells a write beyond the end of its volume");
    it->second[b] = Recognize(w.data.data() + i * kBlockSize, b);
  }
}

void Follower::Take(const block::StreamHole& h) {
  const auto it = replica_.find(h.volume);
  if (it == replica_.end()) return;
  for (uint64_t b = h.offset / kBlockSize; b < (h.offset + h.length) / kBlockSize; ++b) {
    if (b >= it->second.size()) return Problem("tells a hole beyond the end of its volume");
    it->second[b] = 0;
  }
}

void Follower::TookPoint(const block::TakePoint& take) {
  for (const VolumeId& v : take.volumes)
    if (const auto it = replica_.find(v); it != replica_.end()) points_[take.point][v] = it->second;
}

void Follower::Take(const block::StreamStructure& s) {
  for (const block::Change& change : s.changes) {
    if (const auto* take = std::get_if<block::TakePoint>(&change)) TookPoint(*take);
    if (const auto* gone = std::get_if<block::DeleteVolume>(&change)) replica_.erase(gone->volume);
    if (const auto* resize = std::get_if<block::ResizeVolume>(&change))
      if (const auto it = replica_.find(resize->volume); it != replica_.end())
        it->second.resize(resize->size / kBlockSize, 0);
    const auto* set = std::get_if<block::SetContent>(&change);
    if (set == nullptr || !replica_.contains(set->volume)) continue;
    const auto known = node_.archive().find(set->point);
    const Contents* source = nullptr;
    if (known != node_.archive().end()) source = &known->second.at(set->source);
    else if (const auto p = points_.find(set->point); p != points_.end() && p->second.contains(set->source))
      source = &p->second.at(set->source);
    if (source == nullptr) {
      replica_.erase(set->volume);
      continue;
    }
    Contents& to = replica_[set->volume];
    const size_t blocks = std::max(to.size(), source->size());
    to = *source;
    to.resize(blocks, 0);
  }
}

void Follower::Compare() {
  if (!running_ || lost_) return;
  const auto reached = [this] { return !running_ || upto_ >= node_.pool().Info().last; };
  if (!node_.RunUntil(reached, "following the log") || !running_) return;
  for (const auto& [v, contents] : replica_) {
    if (!node_.oracle().volumes().contains(v) || !node_.Usable(v)) continue;
    const auto seen = node_.ReadNow(v);
    if (seen && *seen != contents) return Problem(fmt::format("makes something else of volume {}", v.ToString()));
  }
  for (const auto& [p, members] : points_) {
    const auto known = node_.archive().find(p);
    if (known == node_.archive().end()) continue;
    for (const auto& [v, contents] : members)
      if (known->second.at(v) != contents)
        return Problem(fmt::format("has another order than point {} of volume {}", p.ToString(), v.ToString()));
  }
  ++node_.report().counts["replicas compared"];
}

}  // namespace lockstep::simulation
