// One Lockstep node: everything that lockstepd is but the process around it. What is tested is what ships: a test
// builds the same object on a simulated machine.
//
// All of it comes in through the constructor. A node is started once and stopped once; a restart is a new node on the
// same data directory and disks. A crash is the destruction of the machine under a node (sim/crash_points.h), not of
// the node: it is stopped all the same, so that nothing of it runs any more, and what it wrote meanwhile is lost.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "access/authenticator.h"
#include "admin/server.h"
#include "apps/node/announcement.h"
#include "apps/node/config.h"
#include "control/control.h"
#include "io/env.h"

namespace lockstep::node {

class CimFace;
class Security;
class ExportHub;
class LogstorePools;

// Why a node did not start, beside the Status's sentence: what lockstepd makes its exit code of.
enum class StartFailure : uint8_t { kNone, kDataDirectory, kCatalog, kSchema, kSecurity, kListen };

struct StartResult {
  StartFailure failure = StartFailure::kNone;
  Status status;  // OK with kNone
};

class Node {
 public:
  // `env` outlives the node, which is made, used and destroyed on the control loop. `version` is what it says about
  // itself. `pam` knows passwords of users that are kept elsewhere; may be null.
  Node(io::Env& env, Config config, std::string version, access::PasswordCheck pam = nullptr);
  // REQUIRES: Stop has ended, or Start was never called.
  ~Node();
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  // Makes or opens the data directory, opens the catalog and the pools, settles what a crash left half done, then
  // serves. After a failure the node is to be stopped and destroyed.
  Task<StartResult> Start();
  // Reads certificates anew, the node's own and those that it trusts: for connections from then on. What cannot be used
  // is logged, and changes nothing. Between Start and Stop. Blocking.
  void Reload();
  // Ends all connections, lets what runs come to its end, closes the pools.
  Task<void> Stop();

  control::Control& control() { return *control_; }  // between Start and Stop
  // Where it really listens, with the ports that the system chose.
  const std::vector<io::Endpoint>& nbd_endpoints() const { return nbd_endpoints_; }
  const std::vector<io::Endpoint>& cim_endpoints() const { return cim_endpoints_; }
  const std::vector<io::Endpoint>& cim_https_endpoints() const { return cim_https_endpoints_; }

 private:
  Status OpenDataDirectory();
  // The id that this node keeps for ever; made at the first start.
  Result<std::string> NodeId();
  Task<Status> StartControl();
  Task<Status> Serve();
  admin::NodeFacts Facts() const;

  io::Env& env_;
  const Config config_;
  const std::string version_;
  const access::PasswordCheck pam_;
  const io::WallTime started_;
  std::unique_ptr<io::File> lock_;
  std::string node_id_;
  std::unique_ptr<LogstorePools> pools_;
  std::unique_ptr<ExportHub> exports_;
  std::unique_ptr<control::Control> control_;
  bool control_started_ = false;
  std::unique_ptr<Security> security_;
  std::unique_ptr<CimFace> cim_;
  Announcement announcement_;
  std::unique_ptr<admin::Server> admin_;
  std::vector<io::Endpoint> nbd_endpoints_;
  std::vector<io::Endpoint> cim_endpoints_, cim_https_endpoints_;
};

}  // namespace lockstep::node
