// The settings of one node, and the file that they are read from: TOML 1.0 (https://toml.io). What a setting means to
// the person who sets it is said in packaging/lockstep.conf.sample; a unit test holds the two together.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "access/role.h"
#include "base/log.h"
#include "base/status.h"
#include "io/net.h"
#include "logstore/memory.h"

namespace lockstep::node {

// How the CIM server knows and protects its clients. Empty paths: files of their own in the data directory.
struct CimSecurity {
  std::vector<io::Endpoint> https;  // where it listens with TLS; any address
  std::string certificate, key;     // PEM; both or neither
  std::string client_ca;            // PEM; empty: clients are not asked for certificates
  std::string listener_ca;          // PEM; whose listeners of indications are trusted; empty: none, no HTTPS to them
  std::string users;
  std::string pam_service;  // name or absolute path of a PAM service; empty: PAM is not asked
  std::string announce;     // directory of Avahi's service files; empty: nothing is announced
  std::optional<access::Role> anonymous;  // of who says nothing and is on this machine; absent: refused
};

// Value type. A default one is what an empty file gives.
struct Config {
  // One network face. Every endpoint must be loopback unless allow_remote; an empty list switches the face off.
  struct Face {
    std::vector<io::Endpoint> listen;
    bool allow_remote = false;
    uint32_t connections_max = 0;  // refused beyond that; at least 1
  };

  std::string name;  // of the node, for people; empty: the host's name, or the node's id where there is none
  std::string data_directory = "/var/lib/lockstep";
  std::string schema_directory;  // of the MOF files; empty: lockstepd looks where it was installed
  LogLevel log_level = LogLevel::kInfo;
  std::string admin_socket = "/run/lockstep/admin.sock";  // empty: no local management
  std::vector<uint32_t> warn_used = {80, 95};  // percent of a pool, 1 to 100 each
  uint64_t pool_memory = logstore::kUsualMemory;  // bytes, of each pool
  std::vector<std::string> devices;               // that management clients may make pools of
  uint64_t scrub_every_seconds = 30 * 24 * 3600;  // 0: never
  uint64_t scrub_rate = 50 << 20;                 // bytes a second; 0: no limit
  Face nbd;
  Face cim;  // without TLS
  CimSecurity cim_security;

  Config();
};

// Reads `text`. Unknown sections and settings, wrong types and values out of range are invalid-argument; the message
// begins with "<file>:<line>: " and says what would be right. What is not set keeps its default.
Result<Config> ParseConfig(std::string_view text, std::string_view file);

// "debug", "info", "warn", "error". invalid-argument otherwise.
Result<LogLevel> ParseLogLevel(std::string_view text);

// What a face that is reachable from elsewhere must have been allowed to do: invalid-argument names the endpoint and
// the setting when `face` lists one beyond loopback without allow_remote. `name` is the section, "nbd" or "cim".
Status CheckFace(std::string_view name, const Config::Face& face);

}  // namespace lockstep::node
