// RocksDB counts its memory by what malloc_usable_size says, and writes a memtable when the count is high enough. The
// C library hands out 16 bytes more where the piece left of a block would be too small to keep, which depends on
// everything that was allocated before: by the timing of another thread, one history in many would write a memtable an
// entry earlier or later, and no longer be the same. So in this program an allocation's usable size follows from the
// size asked for.
#include <dlfcn.h>
#include <malloc.h>

#include <algorithm>
#include <cstdlib>
#include <new>

// A sanitizer's own allocator says what was asked for.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

namespace {

// What the C library adds to an allocation, and a multiple of its grain, 16, so that 16 bytes more stay below the next.
constexpr size_t kHeader = 8, kStep = 32;

size_t UsableSize(void* memory) noexcept {
  static const auto of_the_library = reinterpret_cast<size_t (*)(void*)>(dlsym(RTLD_NEXT, "malloc_usable_size"));
  return of_the_library(memory);
}

// Otherwise larger ones move from the heap to mappings of their own and back, which round differently.
[[maybe_unused]] const int threshold_is_fixed = mallopt(M_MMAP_THRESHOLD, 128 << 10);

}  // namespace

extern "C" size_t malloc_usable_size(void* memory) noexcept {
  return memory == nullptr ? 0 : (UsableSize(memory) + kHeader) / kStep * kStep - kHeader;
}

void* operator new(size_t size) {
  const size_t rounded = (std::max(size, kStep - kHeader) + kHeader + kStep - 1) / kStep * kStep - kHeader;
  void* memory = std::malloc(rounded);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }

#endif
