// Background copies: one at a time in each pool, in pieces, by priority; resumed where they were after a restart.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/units.h"
#include "control/impl.h"
#include "replication/derived.h"
#include "replication/table.h"

namespace lockstep::control {

using catalog::CopyPriority;
using catalog::CopyState;
using catalog::RelationshipRecord;

namespace {

constexpr uint64_t kPiece = 4 * kMiB;
// Progress is stored this often; after a crash at most this much is walked through again (what is copied already is
// found so, and not copied twice).
constexpr uint64_t kCheckpoint = 256 * kMiB;

// How long a copy rests after a piece, in units of the time that the piece took: host I/O has the pool to itself then.
uint64_t RestFactor(CopyPriority priority) {
  switch (priority) {
    case CopyPriority::kLow: return 3;
    case CopyPriority::kNotManaged:
    case CopyPriority::kSame: return 1;
    case CopyPriority::kHigh:
    case CopyPriority::kUrgent: return 0;
  }
  return 1;
}

bool IsBeingCopied(const RelationshipRecord& pair) {
  return pair.state == CopyState::kUnsynchronized && pair.full_copy;
}

}  // namespace

uint64_t Control::Impl::CopiedOf(const RelationshipRecord& pair) const {
  const auto found = progress_.find(pair.id);
  const bool same = found != progress_.end() && found->second.point == pair.point;
  return same ? std::max(found->second.copied, pair.copied) : pair.copied;
}

RelationshipRecord Control::Impl::Live(RelationshipRecord pair) const {
  if (IsBeingCopied(pair)) pair.copied = CopiedOf(pair);
  return pair;
}

bool Control::Impl::IsStillCopying(const RelationshipRecord& pair) const {
  const RelationshipRecord* now = directory_.Find(pair.id);
  return now != nullptr && IsBeingCopied(*now) && now->point == pair.point;
}

const RelationshipRecord* Control::Impl::PickCopy(PoolId pool) const {
  const RelationshipRecord* best = nullptr;
  for (const auto& [id, pair] : directory_.relationships()) {
    if (!IsBeingCopied(pair)) continue;
    const catalog::VolumeRecord* target = directory_.Find(pair.target);
    if (target == nullptr || target->pool != pool) continue;
    const bool better = best == nullptr || pair.priority > best->priority ||
                        (pair.priority == best->priority && pair.when_activated < best->when_activated);
    if (better) best = &pair;
  }
  return best;
}

void Control::Impl::KickCopies() {
  if (stopping_ || !failed_.ok()) return;
  for (const auto& [id, pool] : pools_) {
    if (pool.pool == nullptr || !pool.state.ok() || copying_.contains(id) || PickCopy(id) == nullptr) continue;
    copying_.insert(id);
    // Later: whoever kicks is in the middle of a change.
    surroundings_.control_loop.Post([this, pool_id = id] { Spawn(CopyLoop(pool_id)); });
  }
}

void Control::Impl::EndBackground() {
  if (!copying_.empty() || tasks_ != 0) return;
  for (io::Closure& wake : std::exchange(copies_ended_, {})) surroundings_.control_loop.Post(std::move(wake));
}

Task<Status> Control::Impl::CopyPiece(RelationshipRecord pair, uint64_t offset, uint64_t length) {
  const std::shared_ptr<block::Pool> pool = pools_[directory_.Find(pair.target)->pool].pool;
  co_await surroundings_.data_loop.Switch();
  const Result<uint64_t> copied = co_await pool->CopyUp(pair.target, offset, length);
  co_await surroundings_.control_loop.Switch();
  co_return copied.status();
}

Task<void> Control::Impl::StoreProgress(RelationshipRecord pair, uint64_t copied) {
  const std::shared_ptr<block::Pool> pool = pools_[directory_.Find(pair.target)->pool].pool;
  // What the catalog says is copied has to be durable in the pool first.
  co_await surroundings_.data_loop.Switch();
  const Status flushed = co_await pool->Flush();
  co_await surroundings_.control_loop.Switch();
  const auto guard = co_await changes_.Lock();
  if (!flushed.ok() || !failed_.ok() || !IsStillCopying(pair)) co_return;
  Draft draft = NewDraft();
  RelationshipRecord now = *directory_.Find(pair.id);
  now.copied = copied;
  // The target may have been enlarged meanwhile: then there is more to copy.
  if (copied >= directory_.Find(pair.target)->size) {
    now.state = now.requested == CopyState::kNotApplicable ? CopyState::kSynchronized : now.requested;
    now.requested = CopyState::kNotApplicable;
    now.progress = replication::ProgressAtRest(now.state);
    now.when_synchronized = draft.now();
    surroundings_.log.Info("{} is complete", replication::Describe(directory_, now));
  }
  draft.Put(std::move(now));
  const Status stored = co_await Carry(draft);
  if (!stored.ok()) surroundings_.log.Error("the progress of a copy cannot be stored: {}", stored.message());
  const auto progress = progress_.find(pair.id);
  if (stored.ok() && progress != progress_.end()) progress->second.stored = copied;
}

Task<void> Control::Impl::FailCopy(RelationshipRecord pair, Status error) {
  const auto guard = co_await changes_.Lock();
  if (!failed_.ok() || !IsStillCopying(pair)) co_return;
  Draft draft = NewDraft();
  RelationshipRecord broken = *directory_.Find(pair.id);
  broken.state = CopyState::kBroken;
  broken.requested = CopyState::kNotApplicable;
  broken.progress = replication::ProgressAtRest(broken.state);
  const std::string what = replication::Describe(directory_, broken);
  surroundings_.log.Error("{} is broken: {}", what, error.message());
  for (const JobId& id : directory_.JobsOn(pair.id)) {
    catalog::JobRecord job = *directory_.Find(id);
    if (IsFinal(job.state)) continue;
    job.state = catalog::JobState::kException;
    job.state_changed = draft.now();
    job.error_code = error.code();
    job.error = what + ": " + error.message();
    draft.Put(std::move(job));
  }
  draft.Put(std::move(broken));
  const Status stored = co_await Carry(draft);
  if (!stored.ok()) surroundings_.log.Error("{}", stored.message());
}

Task<void> Control::Impl::CopyLoop(PoolId pool) {
  while (!stopping_ && failed_.ok() && pools_[pool].state.ok()) {
    const RelationshipRecord* picked = PickCopy(pool);
    if (picked == nullptr) break;
    const RelationshipRecord pair = *picked;
    const uint64_t size = directory_.Find(pair.target)->size, from = CopiedOf(pair);
    const uint64_t length = from < size ? std::min(kPiece, size - from) : 0;
    const io::Instant begin = surroundings_.clock.Now();
    if (length != 0) {
      const Status copied = co_await CopyPiece(pair, from, length);
      if (!copied.ok()) {
        co_await FailCopy(pair, copied);
        // The pool itself may have failed, or the catalog: then there is no state to change and no use in going on.
        if (IsStillCopying(pair)) break;
        continue;
      }
      if (!IsStillCopying(pair)) continue;
    }
    Progress& progress = progress_.try_emplace(pair.id, Progress{pair.point, pair.copied, pair.copied}).first->second;
    if (progress.point != pair.point) progress = {pair.point, pair.copied, pair.copied};
    progress.copied = from + length;
    if (from + length >= size || progress.copied - progress.stored >= kCheckpoint) {
      co_await StoreProgress(pair, from + length);
      const RelationshipRecord* now = directory_.Find(pair.id);
      if (now != nullptr && IsBeingCopied(*now) && now->copied < from + length && now->point == pair.point) break;
    }
    const io::Duration rest = (surroundings_.clock.Now() - begin) * RestFactor(pair.priority);
    if (rest > io::Duration(0)) co_await surroundings_.control_loop.Sleep(rest);
  }
  copying_.erase(pool);
  EndBackground();
}

}  // namespace lockstep::control
