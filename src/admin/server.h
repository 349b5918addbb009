// Serves the local management protocol on a Unix socket. Whoever may open the socket may do everything, so its file
// must be made for its owner only: lockstepd sets its file mode mask before anything is opened.
//
// Everything runs on the control loop.
#pragma once

#include <memory>
#include <vector>

#include "admin/methods.h"
#include "base/log.h"
#include "base/status.h"
#include "base/task.h"
#include "io/loop.h"
#include "io/net.h"

namespace lockstep::admin {

class Session;

// What the server stands on; all of it outlives the server.
struct ServerSurroundings {
  io::Loop& loop;
  io::Network& network;
  Log& log;
  control::Control& control;
  access::Users* users = nullptr;
  access::AuditLog* audit = nullptr;  // null: changes are not recorded
};

class Server {
 public:
  static constexpr size_t kSessionsMax = 64;  // connections beyond are closed at once

  Server(ServerSurroundings surroundings, NodeFacts facts);
  // REQUIRES: Stop has ended, or Listen was never called.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // in-use: another process answers there. Called once.
  Status Listen(const io::Endpoint& at);
  // Takes no more connections, ends watches, lets methods that run come to their end, closes. Called before the Control
  // stops.
  Task<void> Stop();

  size_t sessions() const { return sessions_.size(); }

 private:
  friend class Session;
  void Accept(std::unique_ptr<io::Stream> stream);
  void Forget(Session* session);

  ServerSurroundings surroundings_;
  NodeFacts facts_;
  std::unique_ptr<io::Listener> listener_;
  std::vector<std::shared_ptr<Session>> sessions_;
  std::function<void()> drained_;  // set while Stop waits for the last session to go
};

}  // namespace lockstep::admin
