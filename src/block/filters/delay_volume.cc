#include "block/filters/delay_volume.h"

#include <utility>

namespace lockstep::block {

void DelayVolume::Delay(OpSet ops, io::Duration delay) {
  delayed_ops_ = ops;
  delay_ = delay;
}

void DelayVolume::Release() {
  held_ops_ = {};
  for (Request* request : std::exchange(held_, {})) below_->Submit(*request);
}

void DelayVolume::Submit(Request& request) {
  if (held_ops_.Has(request.op)) return held_.push_back(&request);
  if (delay_ == io::Duration::zero() || !delayed_ops_.Has(request.op)) return below_->Submit(request);
  // The closure holds the volume below, not this: the filter may go before the delay is over.
  loop_.After(delay_, [below = below_, &request] { below->Submit(request); });
}

}  // namespace lockstep::block
