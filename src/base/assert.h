// Programmer errors: conditions that no input and no device can cause. Always on, in production too, because a wrong
// assumption that goes on running is how data is lost. What can happen at run time is a Status, never an assertion.
#pragma once

namespace lockstep {

// Prints the place and the condition to standard error and aborts the process.
[[noreturn]] void AssertFailed(const char* condition, const char* file, int line) noexcept;

}  // namespace lockstep

#define LS_ASSERT(condition)                                    \
  do {                                                          \
    if (!(condition)) [[unlikely]]                              \
      ::lockstep::AssertFailed(#condition, __FILE__, __LINE__); \
  } while (false)
