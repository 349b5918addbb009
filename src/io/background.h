// Threads and time for a library that insists on some of its own. The index's database does its housekeeping on threads
// that it schedules by itself; where that has to happen the same way every time (in simulation), it gets one of these
// instead.
#pragma once

#include <cstddef>
#include <cstdint>

namespace lockstep::io {

// Thread-safe.
class Background {
 public:
  struct Job {
    void (*run)(void* argument) = nullptr;
    void* argument = nullptr;
    void* tag = nullptr;
    void (*cancelled)(void* argument) = nullptr;  // instead of `run`; may be null
  };

  virtual ~Background() = default;
  // Runs the job on another thread, after those that were started before: one at a time, and within Settle. So nobody
  // may wait for a job otherwise.
  virtual void Start(Job job) = 0;
  // Forgets jobs with this tag that have not begun. Answers how many.
  virtual size_t Cancel(void* tag) = 0;
  // Returns when nothing is running or waiting to run. Not from a job.
  virtual void Settle() = 0;
  // Time as the library sees it, in microseconds; sleeping lets it pass.
  virtual uint64_t NowMicros() = 0;
  virtual void SleepMicros(uint64_t duration) = 0;
};

}  // namespace lockstep::io
