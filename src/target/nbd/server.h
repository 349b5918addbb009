// Serves volumes over NBD, on any number of TCP and Unix sockets. What of the protocol is supported:
// docs/interfaces/nbd.md.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/log.h"
#include "base/task.h"
#include "io/loop.h"
#include "io/net.h"
#include "target/nbd/connection.h"
#include "target/nbd/exports.h"

namespace lockstep::nbd {

// One owner loop, which is also the volumes' and the network's.
class Server final : private ConnectionHost {
 public:
  // Everything outside a server that it works with; outlives it.
  struct World {
    io::Loop& loop;
    io::Network& network;
    Log& log;
    ExportTable& exports;
    // Called when a client begins or ends using an export, with how many use it then. Must not call the server. May be
    // empty.
    std::function<void(const std::string& export_name, size_t connections)> on_use = nullptr;
  };

  explicit Server(World world, Limits limits = {});
  // REQUIRES: Stop() has ended, or nothing that is in flight will ever complete (a crash in simulation).
  ~Server() override;
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Answers where it listens, with the port that was taken. Any number of times.
  Result<io::Endpoint> Listen(const io::Endpoint& at);

  // How many clients use an export now.
  size_t Connections(std::string_view export_name) const;
  // Who they are, for messages ("in use by a host at ...").
  std::vector<std::string> Peers(std::string_view export_name) const;

  // Ends all connections to an export; done when nothing of them is in flight. Take it out of the export table first,
  // or clients that reconnect will be ended too for as long as this runs, and served afterwards.
  Task<void> Disconnect(std::string export_name);

  // Stops listening and ends all connections; done when nothing is in flight.
  Task<void> Stop();

 private:
  io::Loop& loop() override { return world_.loop; }
  Log& log() override { return world_.log; }
  const Limits& limits() const override { return limits_; }
  OperationPool& operations() override { return operations_; }
  Result<std::shared_ptr<block::AlignedVolume>> Open(const std::string& export_name) override;
  void Entered(Connection& connection) override;
  void Closed(Connection& connection) override;
  std::optional<ExportInfo> Describe(std::string_view name) override;
  std::vector<ExportInfo> List() override;

  void Accept(std::unique_ptr<io::Stream> stream);
  void ReportUse(const std::string& export_name);
  void DrainAll(const std::string* export_name);
  auto NextClosed();

  const World world_;
  const Limits limits_;
  OperationPool operations_;
  bool stopping_ = false;
  std::vector<std::unique_ptr<io::Listener>> listeners_;
  std::unordered_map<Connection*, std::shared_ptr<Connection>> connections_;
  // Writers of one volume share one object, whatever export they came by (AlignedVolume says why).
  std::map<block::VolumeId, std::weak_ptr<block::AlignedVolume>> volumes_;
  std::vector<io::Closure> waiting_for_close_;
};

}  // namespace lockstep::nbd
