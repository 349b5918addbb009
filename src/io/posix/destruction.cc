#include "io/posix/destruction.h"

namespace lockstep::io {

// Not inline: g++ 12 does not see that the destructor takes the pointer back, and warns that it dangles.
Destruction::Watch::Watch(Destruction& destruction) : destruction_(destruction) { destruction.watch_ = this; }

Destruction::Watch::~Watch() {
  if (!happened_) destruction_.watch_ = nullptr;
}

Destruction::~Destruction() {
  if (watch_ != nullptr) watch_->happened_ = true;
}

}  // namespace lockstep::io
