#include "sim/faults.h"

namespace lockstep::sim {

FaultPlan::Verdict FaultPlan::Next(IoKind kind) {
  std::lock_guard lock(mutex_);
  ++counts_[static_cast<size_t>(kind)];
  if (power_is_cut_) return Verdict::kDead;
  if (cut_.Hit(kind)) {
    power_is_cut_ = true;
    return Verdict::kCut;
  }
  if (fail_from_.Hit(kind)) failing_ = fail_from_.kinds;
  const bool fail = fail_.Hit(kind);
  if (fail || (failing_ & Only(kind)) != 0) {
    ++injected_;
    return Verdict::kFail;
  }
  const bool misdirect = misdirect_.Hit(kind), hang = hang_.Hit(kind);
  if (misdirect || hang) ++injected_;
  return misdirect ? Verdict::kMisdirect : hang ? Verdict::kHang : Verdict::kProceed;
}

void FaultPlan::CutPowerAt(uint64_t n) {
  std::lock_guard lock(mutex_);
  cut_ = {n, kChanges};
}

void FaultPlan::CutPowerNow() {
  std::lock_guard lock(mutex_);
  power_is_cut_ = true;
}

void FaultPlan::RestorePower() {
  Clear();
  std::lock_guard lock(mutex_);
  power_is_cut_ = false;
}

bool FaultPlan::power_is_cut() const {
  std::lock_guard lock(mutex_);
  return power_is_cut_;
}

void FaultPlan::FailAt(uint64_t n, IoKinds kinds) {
  std::lock_guard lock(mutex_);
  fail_ = {n, kinds};
}

void FaultPlan::FailFrom(uint64_t n, IoKinds kinds) {
  std::lock_guard lock(mutex_);
  fail_from_ = {n, kinds};
}

void FaultPlan::HangAt(uint64_t n, IoKinds kinds) {
  std::lock_guard lock(mutex_);
  hang_ = {n, kinds};
}

void FaultPlan::MisdirectAt(uint64_t n) {
  std::lock_guard lock(mutex_);
  misdirect_ = {n, Only(IoKind::kDiskWrite)};
}

void FaultPlan::Clear() {
  std::lock_guard lock(mutex_);
  cut_ = fail_ = fail_from_ = hang_ = misdirect_ = {};
  failing_ = 0;
}

uint64_t FaultPlan::injected() const {
  std::lock_guard lock(mutex_);
  return injected_;
}

uint64_t FaultPlan::count(IoKind kind) const { return count(Only(kind)); }

uint64_t FaultPlan::count(IoKinds kinds) const {
  std::lock_guard lock(mutex_);
  uint64_t sum = 0;
  for (size_t i = 0; i < kIoKinds; ++i)
    if ((kinds >> i & 1) != 0) sum += counts_[i];
  return sum;
}

}  // namespace lockstep::sim
