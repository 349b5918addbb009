// Names of classes, properties, methods, parameters, qualifiers and namespaces: ASCII letters compare without case
// (DSP0004 5.1.2.1 and annex A), every other byte exactly.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace lockstep::wbem {

bool NameEquals(std::string_view a, std::string_view b);
bool NameLess(std::string_view a, std::string_view b);
std::string NameLower(std::string_view name);

// For containers keyed by name; both find a std::string_view without making a string.
struct NameOrder {
  using is_transparent = void;
  bool operator()(std::string_view a, std::string_view b) const { return NameLess(a, b); }
};
struct NameHash {
  using is_transparent = void;
  size_t operator()(std::string_view name) const;
};
struct NameSame {
  using is_transparent = void;
  bool operator()(std::string_view a, std::string_view b) const { return NameEquals(a, b); }
};

}  // namespace lockstep::wbem
