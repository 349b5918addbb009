// Between control, which says what is exported, and the NBD server, which does it: control lives on the control loop,
// the server and the volumes on the data loop.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "control/interfaces.h"
#include "io/env.h"
#include "target/nbd/exports.h"
#include "target/nbd/server.h"

namespace lockstep::node {

class ExportHub final : public control::ExportSink, public control::ExportUse {
 public:
  // `env` outlives it.
  ExportHub(io::Env& env, nbd::Limits limits);
  ~ExportHub() override;
  ExportHub(const ExportHub&) = delete;
  ExportHub& operator=(const ExportHub&) = delete;

  // Answers where it listens.
  Task<Result<io::Endpoint>> Listen(io::Endpoint at);
  // Ends all connections and the server. Control must have stopped.
  Task<void> Stop();

  Task<Status> Publish(control::PublishedExport published) override;
  Task<Status> Withdraw(std::string name) override;
  uint32_t Connections(block::VolumeId volume) const override;

 private:
  struct Use {
    block::VolumeId volume;
    uint32_t connections = 0;
  };

  io::Env& env_;
  std::map<std::string, Use> use_;  // control loop
  // Data loop.
  nbd::ExportMap table_;
  std::unique_ptr<nbd::Server> server_;
};

}  // namespace lockstep::node
