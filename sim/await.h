// Tests ask for one thing after the other: runs a task to its end on the simulated machine's loop.
#pragma once

#include <optional>
#include <utility>

#include "base/assert.h"
#include "base/task.h"
#include "sim/env.h"

namespace lockstep::sim {

// REQUIRES: the task ends, given time.
template <typename T>
T Await(SimEnv& env, Task<T> task) {
  std::optional<T> result;
  Spawn(std::move(task), [&result](T value) { result.emplace(std::move(value)); });
  LS_ASSERT(env.loop().RunUntil([&result] { return result.has_value(); }));
  return std::move(*result);
}

inline void Await(SimEnv& env, Task<void> task) {
  auto whole = [](Task<void> t) -> Task<bool> {
    co_await std::move(t);
    co_return true;
  };
  (void)Await(env, whole(std::move(task)));
}

}  // namespace lockstep::sim
