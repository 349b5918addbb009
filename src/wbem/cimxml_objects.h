// Reads the object elements of DSP0201 (INSTANCE, INSTANCENAME, INSTANCEPATH, VALUE and their kin) from a pugixml tree.
// Errors are invalid-argument. Recursion is bounded by the depth that CheckXml has let through.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <pugixml.hpp>

#include "base/status.h"
#include "wbem/objects.h"

namespace lockstep::wbem {

// Checks UTF-8, shape and limits, and builds the tree. invalid-argument: not well formed; too-large: beyond the limits
// of CheckXml; protocol: not UTF-8, or the outermost element is not `root`.
Result<pugi::xml_node> ParseXmlDocument(std::string_view text, std::string_view root, pugi::xml_document& document);

// An INSTANCE element as text: how DSP0201 writes embedded instances. Embedded instances within it stay text (strings):
// coerce.h goes on from there.
Result<Instance> ParseXmlInstance(std::string_view text);

// The elements below a node, without comments and white space. `name` is exact, XML names are.
bool IsElement(pugi::xml_node node, std::string_view name);
pugi::xml_node FirstElement(pugi::xml_node parent);
pugi::xml_node NextElement(pugi::xml_node node);
// An attribute that must be there.
Result<std::string> RequiredAttribute(pugi::xml_node node, const char* name);

Result<Instance> ReadInstance(pugi::xml_node node);          // INSTANCE
Result<Instance> ReadNamedInstance(pugi::xml_node node);     // VALUE.NAMEDINSTANCE: with path
Result<ObjectPath> ReadInstanceName(pugi::xml_node node);    // INSTANCENAME
Result<ObjectPath> ReadObjectPath(pugi::xml_node node);      // any of the elements that VALUE.REFERENCE may hold
Result<std::string> ReadNamespace(pugi::xml_node node);      // LOCALNAMESPACEPATH
// The value element among the children of `parent` (VALUE, VALUE.ARRAY, VALUE.REFERENCE, VALUE.REFARRAY); NULL when
// there is none. With `type` scalars are parsed as that, otherwise they are strings.
Result<Value> ReadValueOf(pugi::xml_node parent, std::optional<CimType> type);

}  // namespace lockstep::wbem
