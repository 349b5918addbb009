// Certificates as texts (PEM), and the one that a node makes for itself when it has none.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "io/clock.h"

namespace lockstep::io {

struct KeyPair {
  std::string certificate;  // PEM; the server's own first, then those that lead to its authority
  std::string key;          // PEM, not encrypted
};

// A certificate on the P-256 curve that is its own authority, for `names` (host names and numeric addresses; the first
// is also its common name), valid for ten years from a day before `now`. REQUIRES: names is not empty.
Result<KeyPair> MakeSelfSigned(const std::vector<std::string>& names, WallTime now);

// What an administrator compares with what a client shows: "AB:CD:..." of SHA-256 over the first certificate.
// invalid-argument when the text holds none.
Result<std::string> Fingerprint(std::string_view certificate);

}  // namespace lockstep::io
