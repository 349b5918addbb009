// From the command line and the configuration file to the settings of the node.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "apps/node/config.h"

namespace lockstep::daemon {

inline constexpr char kDefaultConfig[] = "/etc/lockstep/lockstep.conf";

// What the command line says; absent: as the file says.
struct CommandLine {
  std::optional<std::string> config;  // absent: kDefaultConfig if it is there
  std::optional<std::string> data_directory, schema_directory, admin_socket, log_level;
  std::optional<std::string> cim_anonymous;  // a role, or "" for nobody
  std::vector<std::string> nbd, cim, cim_https;  // endpoints; "off" alone switches the face off
  bool check_config = false;
};

// Reads the file, puts the command line over it, and finds the schema and the host's name where they are not set.
Result<node::Config> LoadSettings(const CommandLine& line);

}  // namespace lockstep::daemon
