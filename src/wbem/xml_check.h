// A look over XML text before pugixml builds a tree of it: pugixml forgives much that XML 1.0 does not, and its tree
// costs memory for every element. What passes here is small enough, has no document type and so no entities of its own.
#pragma once

#include <cstddef>
#include <string_view>

#include "base/status.h"

namespace lockstep::wbem {

struct XmlLimits {
  int depth_max = 32;  // of elements
  size_t elements_max = 200'000;
  size_t attributes_max = 400'000;  // of all elements together
};

// invalid-argument: not well formed. too-large: beyond a limit. The text must be UTF-8 already. That tags match is left
// to pugixml, which does check it.
Status CheckXml(std::string_view text, const XmlLimits& limits);

// Appends text with & < > " ' as entities and other characters as they are; control characters that XML 1.0 cannot hold
// become U+FFFD.
void AppendXmlText(std::string& out, std::string_view text);

}  // namespace lockstep::wbem
