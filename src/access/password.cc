#include "access/password.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <optional>
#include <vector>

#include <fmt/format.h>

namespace lockstep::access {
namespace {

constexpr size_t kSaltSize = 16, kHashSize = 32;
constexpr uint64_t kMemoryMax = 160ull << 20;

using Bytes = std::vector<unsigned char>;

struct Stored {
  PasswordCost cost;
  Bytes salt, hash;
};

std::string Hex(const Bytes& bytes) {
  std::string text;
  for (const unsigned char byte : bytes) fmt::format_to(std::back_inserter(text), "{:02x}", byte);
  return text;
}

std::optional<Bytes> FromHex(std::string_view text) {
  if (text.empty() || text.size() % 2 != 0 || text.size() > 256) return std::nullopt;
  Bytes bytes(text.size() / 2);
  for (size_t i = 0; i < bytes.size(); ++i) {
    const char* at = text.data() + 2 * i;
    if (std::from_chars(at, at + 2, bytes[i], 16).ptr != at + 2) return std::nullopt;
  }
  return bytes;
}

std::optional<unsigned> Number(std::string_view text, unsigned lowest, unsigned highest) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < lowest || value > highest)
    return std::nullopt;
  return value;
}

std::optional<Stored> Parse(std::string_view text) {
  std::array<std::string_view, 6> parts;
  for (size_t i = 0; i < parts.size(); ++i) {
    const size_t end = text.find('$');
    if ((end == text.npos) != (i + 1 == parts.size())) return std::nullopt;
    parts[i] = text.substr(0, end);
    text.remove_prefix(std::min(text.size(), end == text.npos ? text.size() : end + 1));
  }
  const auto log_n = Number(parts[1], 1, 17), r = Number(parts[2], 1, 8), p = Number(parts[3], 1, 4);
  auto salt = FromHex(parts[4]), hash = FromHex(parts[5]);
  if (parts[0] != "scrypt" || !log_n || !r || !p || !salt || !hash) return std::nullopt;
  return Stored{{*log_n, *r, *p}, *std::move(salt), *std::move(hash)};
}

bool Derive(std::string_view password, const Stored& stored, Bytes& to) {
  return EVP_PBE_scrypt(password.data(), password.size(), stored.salt.data(), stored.salt.size(),
                        1ull << stored.cost.log_n, stored.cost.r, stored.cost.p, kMemoryMax, to.data(),
                        to.size()) == 1;
}

}  // namespace

Result<std::string> HashPassword(std::string_view password, io::Random& random, PasswordCost cost) {
  Stored stored{cost, Bytes(kSaltSize), Bytes(kHashSize)};
  for (size_t at = 0; at < kSaltSize; at += sizeof(uint64_t)) {
    const uint64_t draw = random.Next64();
    std::memcpy(stored.salt.data() + at, &draw, sizeof draw);
  }
  if (!Derive(password, stored, stored.hash)) return Status(Code::kInternal, "the password cannot be hashed");
  return fmt::format("scrypt${}${}${}${}${}", cost.log_n, cost.r, cost.p, Hex(stored.salt), Hex(stored.hash));
}

bool VerifyPassword(std::string_view password, std::string_view hash) {
  const std::optional<Stored> stored = Parse(hash);
  if (!stored) return false;
  Bytes derived(stored->hash.size());
  return Derive(password, *stored, derived) &&
         CRYPTO_memcmp(derived.data(), stored->hash.data(), derived.size()) == 0;
}

bool IsPasswordHash(std::string_view text) { return Parse(text).has_value(); }

Status CheckPassword(std::string_view password) {
  if (password.size() < 8) return InvalidArgument("a password has at least 8 characters");
  if (password.size() > 256) return InvalidArgument("a password has at most 256 bytes");
  const auto control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  if (std::any_of(password.begin(), password.end(), control))
    return InvalidArgument("a password has no control characters");
  return {};
}

}  // namespace lockstep::access
