// Tells the network where the CIM server is, by DNS-SD (RFC 6763): as a service file that Avahi's daemon reads and
// announces by multicast DNS for as long as it is there (avahi.service(5)). Blocking: for start and stop.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "io/files.h"
#include "io/net.h"

namespace lockstep::node {

// The file for `https`, under the service type of IANA's registry, "wbem-https". Endpoints on loopback are
// nothing to others and left out; empty when there is no other.
std::string ServiceFile(std::string_view node_name, const std::vector<io::Endpoint>& https);

class Announcement {
 public:
  // `directory`: where Avahi looks; empty: nothing is announced.
  Announcement(io::FileSystem& files, std::string directory) : files_(files), directory_(std::move(directory)) {}

  // Puts the file there, for all to read, whole or not at all; takes away one of an earlier life when there is nothing
  // to say.
  Status Make(std::string_view node_name, const std::vector<io::Endpoint>& https);
  // Takes it away.
  Status Withdraw();

 private:
  io::FileSystem& files_;
  const std::string directory_;
};

}  // namespace lockstep::node
