#include "target/nbd/server.h"

#include <algorithm>
#include <utility>

namespace lockstep::nbd {
namespace {

ExportInfo ToInfo(const Export& e) {
  return {e.name, e.description, e.volume->size(), e.read_only || e.volume->read_only()};
}

}  // namespace

Server::Server(World world, Limits limits) : world_(world), limits_(limits), operations_(limits.kept_buffers) {}

Server::~Server() {
  for (const auto& [key, connection] : connections_) connection->Abandon();
}

Result<io::Endpoint> Server::Listen(const io::Endpoint& at) {
  auto listener = world_.network.Listen(at, [this](std::unique_ptr<io::Stream> stream) { Accept(std::move(stream)); });
  if (!listener.ok()) return listener.status();
  listeners_.push_back(std::move(listener).value());
  const io::Endpoint taken = listeners_.back()->endpoint();
  world_.log.Info("nbd: listening on {}", taken.ToString());
  return taken;
}

void Server::Accept(std::unique_ptr<io::Stream> stream) {
  if (stopping_ || connections_.size() >= limits_.connections) {
    world_.log.Warn("nbd: {} is turned away: {} connections are open, which is the limit, or the server is stopping",
                    stream->peer(), connections_.size());
    return;
  }
  ConnectionHost& host = *this;
  auto connection = std::make_shared<Connection>(host, std::move(stream));
  connections_.emplace(connection.get(), connection);
  connection->Start();
}

std::optional<ExportInfo> Server::Describe(std::string_view name) {
  const Result<Export> found = world_.exports.Find(name);
  if (!found.ok()) return std::nullopt;
  return ToInfo(*found);
}

std::vector<ExportInfo> Server::List() {
  std::vector<ExportInfo> all;
  for (const Export& e : world_.exports.List()) all.push_back(ToInfo(e));
  return all;
}

Result<std::shared_ptr<block::AlignedVolume>> Server::Open(const std::string& export_name) {
  Result<Export> found = world_.exports.Find(export_name);
  if (!found.ok()) return found.status();
  std::shared_ptr<block::Volume> volume = std::move(found->volume);
  if (found->read_only || volume->read_only()) {
    return std::make_shared<block::AlignedVolume>(std::move(volume), world_.loop);
  }
  std::weak_ptr<block::AlignedVolume>& known = volumes_[volume->id()];
  if (auto shared = known.lock()) return shared;
  auto made = std::make_shared<block::AlignedVolume>(std::move(volume), world_.loop);
  known = made;
  return made;
}

void Server::ReportUse(const std::string& export_name) {
  if (world_.on_use && !export_name.empty()) world_.on_use(export_name, Connections(export_name));
}

void Server::Entered(Connection& connection) { ReportUse(connection.export_name()); }

void Server::Closed(Connection& connection) {
  // It is still running the function that calls this.
  world_.loop.Post([ended = connection.shared_from_this()] {});
  connections_.erase(&connection);
  ReportUse(connection.export_name());
  for (auto it = volumes_.begin(); it != volumes_.end();) it = it->second.expired() ? volumes_.erase(it) : ++it;
  for (io::Closure& resume : std::exchange(waiting_for_close_, {})) world_.loop.Post(std::move(resume));
}

size_t Server::Connections(std::string_view export_name) const { return Peers(export_name).size(); }

std::vector<std::string> Server::Peers(std::string_view export_name) const {
  std::vector<std::string> peers;
  for (const auto& [key, connection] : connections_) {
    // A connection that has not chosen an export yet has none, and an export's name is never empty.
    if (!connection->export_name().empty() && connection->export_name() == export_name) {
      peers.push_back(connection->peer());
    }
  }
  std::sort(peers.begin(), peers.end());
  return peers;
}

// Null: all of them.
void Server::DrainAll(const std::string* export_name) {
  // Ending one may take it out of the map at once, so the walk is over a copy.
  std::vector<std::shared_ptr<Connection>> ending;
  for (const auto& [key, connection] : connections_) {
    if (export_name == nullptr || connection->export_name() == *export_name) ending.push_back(connection);
  }
  for (const auto& connection : ending) connection->Drain("the server ends the connection");
}

auto Server::NextClosed() {
  return SuspendWith([this](auto resume) { waiting_for_close_.push_back(std::move(resume)); });
}

Task<void> Server::Disconnect(std::string export_name) {
  while (Connections(export_name) > 0) {
    DrainAll(&export_name);
    co_await NextClosed();
  }
}

Task<void> Server::Stop() {
  stopping_ = true;
  listeners_.clear();
  while (!connections_.empty()) {
    DrainAll(nullptr);
    co_await NextClosed();
  }
}

}  // namespace lockstep::nbd
