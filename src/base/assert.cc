#include "base/assert.h"

#include <cstdio>
#include <cstdlib>

namespace lockstep {

void AssertFailed(const char* condition, const char* file, int line) noexcept {
  std::fprintf(stderr, "lockstep: assertion failed: %s at %s:%d\n", condition, file, line);
  std::abort();
}

}  // namespace lockstep
