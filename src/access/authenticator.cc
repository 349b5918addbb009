#include "access/authenticator.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>

#include <array>
#include <cstring>
#include <utility>

#include "base/assert.h"

namespace lockstep::access {
namespace {

// What the password of a user who does not exist is compared with, so that the time of the answer does not tell. Of no
// password: its hash is of the right length, and nothing else is known of it.
constexpr char kNobody[] =
    "scrypt$15$8$1$00000000000000000000000000000000$0000000000000000000000000000000000000000000000000000000000000000";

// HMAC-SHA256 with a key that nobody else has. Made once, because OpenSSL 3 takes longer to find an algorithm than to
// use it.
EVP_MAC_CTX* MakeMac(io::Random& random) {
  std::array<unsigned char, 32> key;
  for (size_t at = 0; at < key.size(); at += sizeof(uint64_t)) {
    const uint64_t draw = random.Next64();
    std::memcpy(key.data() + at, &draw, sizeof draw);
  }
  EVP_MAC* algorithm = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
  EVP_MAC_CTX* mac = EVP_MAC_CTX_new(algorithm);
  EVP_MAC_free(algorithm);
  char digest[] = "SHA256";
  const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                                   OSSL_PARAM_construct_end()};
  LS_ASSERT(mac != nullptr && EVP_MAC_init(mac, key.data(), key.size(), parameters) == 1);
  return mac;
}

}  // namespace

void Authenticator::FreeMac::operator()(evp_mac_ctx_st* mac) const { EVP_MAC_CTX_free(mac); }

Authenticator::Authenticator(Surroundings surroundings, Users& users, FailureLimits limits)
    : surroundings_(std::move(surroundings)),
      users_(users),
      failures_(limits),
      mac_(MakeMac(surroundings_.random)) {
  LS_ASSERT(IsPasswordHash(kNobody));
}

Authenticator::Digest Authenticator::DigestOf(std::string_view name, std::string_view password) const {
  // A name has no '\0', so no two pairs make the same text.
  const auto bytes = [](std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); };
  constexpr unsigned char kEnd[] = {0};
  Digest digest(EVP_MAX_MD_SIZE, '\0');
  size_t size = 0;
  const bool made = EVP_MAC_init(mac_.get(), nullptr, 0, nullptr) == 1 &&
                    EVP_MAC_update(mac_.get(), bytes(name), name.size()) == 1 &&
                    EVP_MAC_update(mac_.get(), kEnd, sizeof kEnd) == 1 &&
                    EVP_MAC_update(mac_.get(), bytes(password), password.size()) == 1 &&
                    EVP_MAC_final(mac_.get(), reinterpret_cast<unsigned char*>(digest.data()), &size,
                                  digest.size()) == 1;
  LS_ASSERT(made);
  digest.resize(size);
  return digest;
}

bool Authenticator::Remembers(const Digest& digest) {
  if (remembered_generation_ != users_.generation()) remembered_.clear();
  const auto it = remembered_.find(digest);
  if (it == remembered_.end()) return false;
  if (!it->second || surroundings_.clock.Now() < *it->second) return true;
  remembered_.erase(it);
  return false;
}

void Authenticator::Remember(const Digest& digest, bool pam) {
  if (remembered_generation_ != users_.generation() || remembered_.size() >= kRememberedMax) remembered_.clear();
  remembered_generation_ = users_.generation();
  std::optional<io::Instant>& until = remembered_[digest];
  if (pam) until = surroundings_.clock.Now() + kPamRemembered;
}

Task<void> Authenticator::TakeTurn() {
  if (hashing_ >= kHashingAtOnce)
    co_await SuspendWith([this](auto resume) { waiting_.emplace_back(std::move(resume)); });
  else
    ++hashing_;
}

void Authenticator::PassTurn() {
  if (waiting_.empty()) {
    --hashing_;
    return;
  }
  // To who waits longest; not within this call, whose caller may go away.
  surroundings_.loop.Post(std::move(waiting_.front()));
  waiting_.pop_front();
}

// What can be said without the slow hash.
std::optional<Verdict> Authenticator::KnownAlready(std::string_view name, const Digest& digest, std::string_view peer) {
  const User* user = users_.Find(name);
  if (user != nullptr && Remembers(digest)) return Verdict{Verdict::Kind::kKnown, {user->name, user->role}, 0};
  const io::Duration wait = failures_.WaitOf(SourceOf(peer), surroundings_.clock.Now());
  if (wait <= io::Duration(0)) return std::nullopt;
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(wait).count();
  return Verdict{Verdict::Kind::kHeldBack, {}, static_cast<uint32_t>(seconds)};
}

// Asks the slow hash or PAM, and draws the consequences. REQUIRES: a turn.
Task<Verdict> Authenticator::Verify(std::string name, std::string password, Digest digest, std::string peer) {
  const User* user = users_.Find(name);
  const uint64_t generation = users_.generation();
  const bool pam = user != nullptr && user->pam && surroundings_.pam;
  const bool has_password = user != nullptr && !user->password_hash.empty();
  const std::string hash = has_password ? user->password_hash : kNobody;
  bool right = false;
  const auto work = [&] { right = pam ? surroundings_.pam(name, password) : VerifyPassword(password, hash); };
  co_await surroundings_.executor.Call(surroundings_.loop, work);
  // The users may have changed meanwhile: who was removed is nobody, and an old password is no password.
  user = users_.Find(name);
  if (right && (pam || has_password) && user != nullptr && generation == users_.generation()) {
    failures_.Succeeded(SourceOf(peer));
    Remember(digest, pam);
    co_return Verdict{Verdict::Kind::kKnown, {user->name, user->role}, 0};
  }
  failures_.Failed(SourceOf(peer), surroundings_.clock.Now());
  co_return Verdict{};
}

Task<Verdict> Authenticator::ByPassword(std::string name, std::string password, std::string peer) {
  const Digest digest = DigestOf(name, password);
  std::optional<Verdict> known = KnownAlready(name, digest, peer);
  if (known) co_return *std::move(known);
  if (waiting_.size() >= kWaitingMax) co_return Verdict{Verdict::Kind::kBusy, {}, 0};
  Task<void> turn = TakeTurn();
  co_await std::move(turn);
  // Those before may have verified the same password, or guessed too often: many connections at once are no way around.
  known = KnownAlready(name, digest, peer);
  if (!known) {
    Task<Verdict> verify = Verify(name, std::move(password), digest, peer);
    known = co_await std::move(verify);
    if (known->kind == Verdict::Kind::kUnknown) {
      surroundings_.log.Warn("access: a password of user {} from {} was refused",
                             CheckUserName(name).ok() ? name : "?", peer);
    }
  }
  PassTurn();
  co_return *std::move(known);
}

std::optional<Person> Authenticator::ByCertificate(std::string_view common_name) const {
  const User* user = common_name.empty() ? nullptr : users_.Find(common_name);
  if (user == nullptr) return std::nullopt;
  return Person{user->name, user->role};
}

}  // namespace lockstep::access
