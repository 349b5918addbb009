// Tells who somebody is, by password or by certificate. A password that was verified is remembered (as a keyed digest)
// until a user changes, so that only the first request of a client pays for the slow hash. One that somebody else keeps
// (PAM) is remembered for five minutes, because nobody tells us when it changes.
//
// On one loop; hashing is done by the executor, a few at a time, because each takes much memory.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "access/failures.h"
#include "access/users.h"
#include "base/log.h"
#include "base/task.h"
#include "io/clock.h"
#include "io/loop.h"
#include "io/random.h"

struct evp_mac_ctx_st;

namespace lockstep::access {

struct Person {
  std::string name;
  Role role = Role::kMonitor;
};

struct Verdict {
  enum class Kind : uint8_t {
    kKnown,
    kUnknown,  // no such user, or another password: nobody is told which
    kHeldBack,  // too many failures from this address: the password was not looked at
    kBusy,      // too many at once
  };
  Kind kind = Kind::kUnknown;
  Person person;     // kKnown
  uint32_t wait_s = 0;  // kHeldBack
};

// Whether the password is that user's, as PAM says. Slow; called on the executor.
using PasswordCheck = std::function<bool(const std::string& name, const std::string& password)>;

class Authenticator {
 public:
  struct Surroundings {
    io::Executor& executor;
    io::Loop& loop;
    io::Clock& clock;
    io::Random& random;
    Log& log;
    PasswordCheck pam = {};
  };
  static constexpr size_t kHashingAtOnce = 2, kWaitingMax = 256, kRememberedMax = 1024;
  static constexpr io::Duration kPamRemembered = std::chrono::minutes(5);

  // `users` outlives it; it outlives its tasks.
  Authenticator(Surroundings surroundings, Users& users, FailureLimits limits = {});

  Task<Verdict> ByPassword(std::string name, std::string password, std::string peer);
  // Who the verified common name of a certificate is.
  std::optional<Person> ByCertificate(std::string_view common_name) const;

 private:
  using Digest = std::string;
  Digest DigestOf(std::string_view name, std::string_view password) const;
  bool Remembers(const Digest& digest);
  void Remember(const Digest& digest, bool pam);
  Task<void> TakeTurn();
  void PassTurn();
  std::optional<Verdict> KnownAlready(std::string_view name, const Digest& digest, std::string_view peer);
  Task<Verdict> Verify(std::string name, std::string password, Digest digest, std::string peer);

  const Surroundings surroundings_;
  Users& users_;
  Failures failures_;
  struct FreeMac {
    void operator()(evp_mac_ctx_st* mac) const;
  };
  const std::unique_ptr<evp_mac_ctx_st, FreeMac> mac_;  // has the key
  std::unordered_map<Digest, std::optional<io::Instant>> remembered_;  // until when; absent: for good
  uint64_t remembered_generation_ = 0;
  size_t hashing_ = 0;
  std::deque<std::function<void()>> waiting_;
};

}  // namespace lockstep::access
