// UTF-8 as outside bytes bring it (RFC 3629): no overlong forms, no surrogates, nothing above U+10FFFF.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace lockstep::wbem {

bool IsUtf8(std::string_view bytes);
// The code point that is the whole of `text`, if it is exactly one of the basic plane: a char16.
std::optional<char16_t> DecodeOneUtf16Unit(std::string_view text);
// A surrogate half becomes U+FFFD.
std::string EncodeUtf8(char16_t unit);

}  // namespace lockstep::wbem
