// For tests of a log store on a simulated machine.
#pragma once

#include "block/volume.h"
#include "logstore/logstore.h"
#include "sim/await.h"

namespace lockstep::test {

// The machine as a pool is built on it. With it, the index has no threads of its own: a test is the same every time.
inline logstore::Seams SeamsOf(sim::SimEnv& env) {
  return {env.loop(), env.executor(), env.files(), env.random(), env.log(), env.clock(), &env.background()};
}

inline Status RunOn(sim::SimEnv& env, block::Volume& volume, block::Request& request) {
  const auto run = [](block::Volume& v, block::Request& r) -> Task<Status> { co_return co_await block::Run(v, r); };
  return sim::Await(env, run(volume, request));
}

}  // namespace lockstep::test
