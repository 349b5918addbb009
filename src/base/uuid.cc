#include "base/uuid.h"

namespace lockstep {
namespace {

constexpr char kDigits[] = "0123456789abcdef";

int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool IsHyphenPosition(size_t i) {
  return i == 8 || i == 13 || i == 18 || i == 23;
}

}  // namespace

std::string Uuid::ToString() const {
  std::string out;
  out.reserve(36);
  for (uint8_t b : bytes) {
    if (IsHyphenPosition(out.size())) out.push_back('-');
    out.push_back(kDigits[b >> 4]);
    out.push_back(kDigits[b & 15]);
  }
  return out;
}

Result<Uuid> Uuid::Parse(std::string_view text) {
  const Status bad = InvalidArgument("'" + std::string(text.substr(0, 64)) + "' is not a UUID (8-4-4-4-12 hex digits)");
  if (text.size() != 36) return bad;
  Uuid id;
  size_t digit = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (IsHyphenPosition(i)) {
      if (text[i] != '-') return bad;
      continue;
    }
    const int value = HexValue(text[i]);
    if (value < 0) return bad;
    uint8_t& byte = id.bytes[digit / 2];
    byte = static_cast<uint8_t>(byte << 4 | value);
    ++digit;
  }
  return id;
}

}  // namespace lockstep
