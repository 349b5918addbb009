// The SMI-S face: providers that show control's objects as CIM instances and turn CIM methods into control's use cases.
// No storage logic: what a method may do is decided by control, what is advertised by replication/capabilities.h.
//
// Thread: the providers run on the loop of the CIM server, which must be the control loop.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "base/log.h"
#include "base/status.h"
#include "control/control.h"
#include "io/clock.h"
#include "wbem/provider.h"
#include "wbem/schema.h"
#include "wbem/server_classes.h"

namespace lockstep::smis {

// Where clients look first (SMI-S fixes the name), and where everything else is.
inline constexpr std::string_view kInteropNamespace = "interop";
inline constexpr std::string_view kStorageNamespace = "root/cimv2/storage/iscsitarget";

// Who this node is in CIM terms.
struct Identity {
  std::string system_name;   // CIM_ComputerSystem.Name: never changes, unique among the nodes that one client sees
  std::string element_name;  // for people; the host's name
};

// The files of the folder schema/ that a namespace is made of; empty for any other namespace.
std::span<const std::string_view> MofFiles(std::string_view ns);

// Loads both namespaces. `read` gives the text of one of MofFiles.
Status LoadSchema(wbem::Schema& schema, const std::function<Result<std::string>(std::string_view file)>& read);

// What the providers work on. Outlives the registry.
struct Surroundings {
  control::Control& control;
  io::Clock& clock;
  Log& log;
  bool indications = false;  // the registry serves wbem's indication classes too: they are shown as this system's
};

// What the CIM server says about itself.
wbem::ServerIdentity ServerOf(const Identity& identity);

// Adds every provider, in both namespaces, those with which the server describes itself included. LoadSchema must have
// filled the registry's schema.
Status AddProviders(wbem::ProviderRegistry& registry, Surroundings surroundings, Identity identity);

}  // namespace lockstep::smis
