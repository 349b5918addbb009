#include "wbem/utf8.h"

#include <cstring>

namespace lockstep::wbem {
namespace {

// Bytes of the sequence at the start of `s`, its value in `code`; 0 when it is malformed.
size_t DecodeFirst(std::string_view s, uint32_t& code) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(s[i]); };
  const uint8_t lead = byte(0);
  if (lead < 0x80) {
    code = lead;
    return 1;
  }
  const size_t size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  static constexpr uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  if (lead < 0xc2 || lead > 0xf4 || s.size() < size) return 0;
  code = lead & (0x7fu >> size);
  for (size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
    code = code << 6 | (byte(i) & 0x3fu);
  }
  if (code < kLeast[size] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return 0;
  return size;
}

}  // namespace

bool IsUtf8(std::string_view bytes) {
  while (!bytes.empty()) {
    // Nearly everything is ASCII: eight at a time.
    uint64_t eight = 0;
    if (bytes.size() >= sizeof eight) {
      std::memcpy(&eight, bytes.data(), sizeof eight);
      if ((eight & 0x8080808080808080ull) == 0) {
        bytes.remove_prefix(sizeof eight);
        continue;
      }
    }
    uint32_t code = 0;
    const size_t size = DecodeFirst(bytes, code);
    if (size == 0) return false;
    bytes.remove_prefix(size);
  }
  return true;
}

std::optional<char16_t> DecodeOneUtf16Unit(std::string_view text) {
  uint32_t code = 0;
  if (text.empty() || DecodeFirst(text, code) != text.size() || code > 0xffff) return std::nullopt;
  return static_cast<char16_t>(code);
}

std::string EncodeUtf8(char16_t unit) {
  const uint32_t code = unit >= 0xd800 && unit <= 0xdfff ? 0xfffd : unit;
  std::string out;
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xc0 | code >> 6);
    out += static_cast<char>(0x80 | (code & 0x3f));
  } else {
    out += static_cast<char>(0xe0 | code >> 12);
    out += static_cast<char>(0x80 | (code >> 6 & 0x3f));
    out += static_cast<char>(0x80 | (code & 0x3f));
  }
  return out;
}

}  // namespace lockstep::wbem
