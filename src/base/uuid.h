// 128-bit identifiers. Whoever asks for an object to be made chooses its id first, so that the wish can be written down
// before it is acted on and found again after a crash.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/status.h"

namespace lockstep {

struct Uuid {
  std::array<uint8_t, 16> bytes{};

  auto operator<=>(const Uuid&) const = default;
  bool IsNil() const { return *this == Uuid{}; }
  // Lower case, hyphenated: 8-4-4-4-12.
  std::string ToString() const;
  // Accepts what ToString writes, in either case. invalid-argument otherwise.
  static Result<Uuid> Parse(std::string_view text);
};

// A Uuid that says what it names, so that a volume's cannot be passed for a point's.
template <typename Tag>
struct Id {
  Uuid uuid;
  auto operator<=>(const Id&) const = default;
  bool IsNil() const { return uuid.IsNil(); }
  std::string ToString() const { return uuid.ToString(); }
};

}  // namespace lockstep

template <>
struct std::hash<lockstep::Uuid> {
  size_t operator()(const lockstep::Uuid& id) const noexcept {
    uint64_t a, b;
    __builtin_memcpy(&a, id.bytes.data(), 8);
    __builtin_memcpy(&b, id.bytes.data() + 8, 8);
    return a ^ (b * 0x9e3779b97f4a7c15ull);
  }
};
template <typename Tag>
struct std::hash<lockstep::Id<Tag>> {
  size_t operator()(const lockstep::Id<Tag>& id) const noexcept { return std::hash<lockstep::Uuid>()(id.uuid); }
};
