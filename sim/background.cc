#include "sim/background.h"

namespace lockstep::sim {

SimBackground::~SimBackground() {
  {
    std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void SimBackground::Start(Job job) {
  std::lock_guard lock(mutex_);
  jobs_.push_back(job);
  if (!thread_.joinable()) thread_ = std::thread([this] { Work(); });
  changed_.notify_all();
}

size_t SimBackground::Cancel(void* tag) {
  std::deque<Job> cancelled;
  {
    std::lock_guard lock(mutex_);
    std::deque<Job> left;
    for (const Job& job : jobs_) (job.tag == tag ? cancelled : left).push_back(job);
    jobs_ = std::move(left);
  }
  changed_.notify_all();
  for (const Job& job : cancelled)
    if (job.cancelled != nullptr) job.cancelled(job.argument);
  return cancelled.size();
}

void SimBackground::Settle() {
  std::unique_lock lock(mutex_);
  settling_ = true;
  changed_.notify_all();
  changed_.wait(lock, [this] { return jobs_.empty() && !running_; });
  settling_ = false;
}

void SimBackground::Work() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return (settling_ && !jobs_.empty()) || ending_; });
    if (jobs_.empty()) return;
    const Job job = jobs_.front();
    jobs_.pop_front();
    running_ = true;
    lock.unlock();
    job.run(job.argument);
    lock.lock();
    running_ = false;
    changed_.notify_all();
  }
}

}  // namespace lockstep::sim
