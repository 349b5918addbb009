#include "wbem/gate.h"

#include <array>

#include <fmt/format.h>

#include "wbem/names.h"

namespace lockstep::wbem {
namespace {

constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

std::optional<std::string> FromBase64(std::string_view text) {
  if (text.size() % 4 != 0 || text.size() > 1024) return std::nullopt;
  std::string out;
  size_t padding = 0;
  for (; padding < 2 && text.ends_with('='); ++padding) text.remove_suffix(1);
  uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    const size_t digit = kDigits.find(c);
    if (digit == kDigits.npos) return std::nullopt;
    bits = (bits << 6) | static_cast<uint32_t>(digit);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    out += static_cast<char>((bits >> count) & 0xff);
    bits &= (1u << count) - 1;
  }
  if (bits != 0) return std::nullopt;
  return out;
}

// PGErrorDetail is what clients show; it is URI-encoded, and these sentences need only their blanks to be.
std::string Detail(std::string_view sentence) {
  std::string out;
  for (const char c : sentence) {
    if (c == ' ') out += "%20";
    else out += c;
  }
  return out;
}

Admission Refuse(int status, std::string_view detail) {
  Admission admission;
  admission.refusal.status = status;
  admission.refusal.headers.emplace_back("PGErrorDetail", Detail(detail));
  return admission;
}

Admission Admitted(access::Person person, const HttpClient& client) {
  Admission admission;
  admission.caller = Caller{std::move(person.name), client.peer, person.role};
  return admission;
}

}  // namespace

std::optional<BasicCredentials> ParseBasic(std::string_view header) {
  const size_t blank = header.find(' ');
  if (blank == header.npos || !NameEquals(header.substr(0, blank), "Basic")) return std::nullopt;
  header.remove_prefix(header.find_first_not_of(' ', blank) == header.npos ? header.size()
                                                                           : header.find_first_not_of(' ', blank));
  while (header.ends_with(' ')) header.remove_suffix(1);
  const std::optional<std::string> text = FromBase64(header);
  if (!text) return std::nullopt;
  const size_t colon = text->find(':');
  if (colon == std::string::npos || text->find('\0') != std::string::npos) return std::nullopt;
  return BasicCredentials{text->substr(0, colon), text->substr(colon + 1)};
}

Gate::Gate(access::Authenticator& authenticator, std::optional<access::Role> anonymous, std::string realm)
    : authenticator_(authenticator), anonymous_(anonymous), realm_(std::move(realm)) {}

Admission Gate::Challenge(std::string detail) const {
  Admission admission = Refuse(401, detail);
  admission.refusal.headers.emplace_back("WWW-Authenticate",
                                         fmt::format("Basic realm=\"{}\", charset=\"UTF-8\"", realm_));
  return admission;
}

Admission Gate::Unnamed(const HttpClient& client) const {
  if (anonymous_ && access::IsLocal(client.peer)) return Admitted({"", *anonymous_}, client);
  if (client.encrypted) return Challenge("a user name and a password are needed");
  // No challenge: it would make clients send a password that anybody on the way can read.
  return Refuse(403, "passwords are taken over HTTPS only, and this is HTTP");
}

Task<Admission> Gate::Admit(std::string authorization, HttpClient client) const {
  if (client.encrypted && !client.certificate_name.empty()) {
    std::optional<access::Person> person = authenticator_.ByCertificate(client.certificate_name);
    if (person) co_return Admitted(*std::move(person), client);
  }
  // Over HTTP a password says nothing: whoever sent it has given it away.
  if (authorization.empty() || !client.encrypted) co_return Unnamed(client);
  std::optional<BasicCredentials> credentials = ParseBasic(authorization);
  if (!credentials) co_return Challenge("the header Authorization is not of the scheme Basic");
  Task<access::Verdict> asking =
      authenticator_.ByPassword(std::move(credentials->user), std::move(credentials->password), client.peer);
  access::Verdict verdict = co_await std::move(asking);
  switch (verdict.kind) {
    case access::Verdict::Kind::kKnown: co_return Admitted(std::move(verdict.person), client);
    case access::Verdict::Kind::kBusy: co_return Refuse(503, "too many clients give their passwords at once");
    case access::Verdict::Kind::kHeldBack: {
      Admission refused = Refuse(429, "too many wrong passwords from this address");
      refused.refusal.headers.emplace_back("Retry-After", std::to_string(verdict.wait_s));
      co_return refused;
    }
    case access::Verdict::Kind::kUnknown: break;
  }
  co_return Challenge("the user name or the password is wrong");
}

}  // namespace lockstep::wbem
