// Signals as calls: one thread waits for them, so that nothing runs inside a signal handler.
#pragma once

#include <csignal>
#include <functional>
#include <thread>

namespace lockstep::daemon {

class Signals {
 public:
  using Handler = std::function<void(int signal)>;

  // Blocks SIGTERM, SIGINT and SIGHUP for this thread and all that it starts later, and ignores SIGPIPE. Call it before
  // any other thread is started.
  static void Block();

  // From now on `handler` is called for each of them, on a thread of its own.
  explicit Signals(Handler handler);
  // Ends the thread; `handler` is not called any more.
  ~Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

 private:
  void Run();

  const Handler handler_;
  std::thread thread_;
};

}  // namespace lockstep::daemon
