#include "admin/server.h"

#include <algorithm>
#include <utility>

#include "admin/session.h"
#include "base/assert.h"

namespace lockstep::admin {

Server::Server(ServerSurroundings surroundings, NodeFacts facts)
    : surroundings_(surroundings), facts_(std::move(facts)) {}

Server::~Server() { LS_ASSERT(listener_ == nullptr && sessions_.empty()); }

Status Server::Listen(const io::Endpoint& at) {
  LS_ASSIGN_OR_RETURN(listener_, surroundings_.network.Listen(
                                     at, [this](std::unique_ptr<io::Stream> stream) { Accept(std::move(stream)); }));
  surroundings_.log.Info("admin: listening on {}", listener_->endpoint().ToString());
  return Status::Ok();
}

void Server::Accept(std::unique_ptr<io::Stream> stream) {
  if (sessions_.size() >= kSessionsMax) {
    surroundings_.log.Warn("admin: {} connections are open, one more is refused", sessions_.size());
    return;
  }
  sessions_.push_back(std::make_shared<Session>(*this, std::move(stream)));
  sessions_.back()->Start();
}

void Server::Forget(Session* session) {
  const auto found = std::find_if(sessions_.begin(), sessions_.end(),
                                  [session](const auto& each) { return each.get() == session; });
  if (found != sessions_.end()) sessions_.erase(found);
  if (sessions_.empty() && drained_) std::exchange(drained_, nullptr)();
}

Task<void> Server::Stop() {
  listener_.reset();
  const std::vector<std::shared_ptr<Session>> sessions = sessions_;
  for (const auto& session : sessions) session->Stop();
  if (sessions_.empty()) co_return;
  co_await SuspendWith([this](auto resume) { drained_ = std::move(resume); });
}

}  // namespace lockstep::admin
