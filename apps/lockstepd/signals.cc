#include "apps/lockstepd/signals.h"

#include <utility>

namespace lockstep::daemon {

namespace {

// Sent by the destructor to its own thread, and by nobody else.
constexpr int kEnd = SIGUSR1;

sigset_t Waited() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, kEnd}) sigaddset(&set, signal);
  return set;
}

}  // namespace

void Signals::Block() {
  const sigset_t set = Waited();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
}

Signals::Signals(Handler handler) : handler_(std::move(handler)), thread_([this] { Run(); }) {}

Signals::~Signals() {
  pthread_kill(thread_.native_handle(), kEnd);
  thread_.join();
}

void Signals::Run() {
  const sigset_t set = Waited();
  for (;;) {
    int signal = 0;
    if (sigwait(&set, &signal) != 0) continue;
    if (signal == kEnd) return;
    handler_(signal);
  }
}

}  // namespace lockstep::daemon
