#include "apps/node/exports.h"

#include <utility>

namespace lockstep::node {

ExportHub::ExportHub(io::Env& env, nbd::Limits limits) : env_(env) {
  // The node keeps the hub until everything that was posted before Stop ended has run.
  auto on_use = [this](const std::string& name, size_t connections) {
    env_.control_loop().Post([this, name, connections] {
      if (const auto found = use_.find(name); found != use_.end()) {
        found->second.connections = static_cast<uint32_t>(connections);
      }
    });
  };
  nbd::Server::World world{env.data_loop(), env.data_network(), env.log(), table_, std::move(on_use)};
  server_ = std::make_unique<nbd::Server>(std::move(world), limits);
}

ExportHub::~ExportHub() = default;

Task<Result<io::Endpoint>> ExportHub::Listen(io::Endpoint at) {
  co_await env_.data_loop().Switch();
  Result<io::Endpoint> taken = server_->Listen(at);
  co_await env_.control_loop().Switch();
  co_return taken;
}

Task<void> ExportHub::Stop() {
  co_await env_.data_loop().Switch();
  co_await server_->Stop();
  server_.reset();
  co_await env_.control_loop().Switch();
}

Task<Status> ExportHub::Publish(control::PublishedExport published) {
  std::string name = published.name;
  use_[name] = {published.volume, 0};
  co_await env_.data_loop().Switch();
  Status status;
  auto volume = published.pool->OpenVolume(published.volume);
  if (volume.ok()) table_.Set({name, "", *std::move(volume), published.read_only});
  else status = volume.status();
  // What was opened keeps the pool usable; the reference goes here, on the loop that the pool belongs to.
  published.pool.reset();
  co_await env_.control_loop().Switch();
  if (!status.ok()) use_.erase(name);
  co_return status;
}

Task<Status> ExportHub::Withdraw(std::string name) {
  co_await env_.data_loop().Switch();
  table_.Remove(name);
  co_await server_->Disconnect(name);
  co_await env_.control_loop().Switch();
  use_.erase(name);
  co_return Status::Ok();
}

uint32_t ExportHub::Connections(block::VolumeId volume) const {
  uint32_t connections = 0;
  for (const auto& [name, use] : use_) {
    if (use.volume == volume) connections += use.connections;
  }
  return connections;
}

}  // namespace lockstep::node
