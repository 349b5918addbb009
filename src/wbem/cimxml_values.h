// Writes values and paths as DSP0201 has them, by appending text.
#pragma once

#include <string>
#include <string_view>

#include "wbem/objects.h"
#include "wbem/schema.h"

namespace lockstep::wbem {

// ` name="value"`, escaped.
void AppendAttribute(std::string& out, std::string_view name, std::string_view value);
void AppendNamespacePath(std::string& out, std::string_view ns);         // LOCALNAMESPACEPATH
void AppendInstanceName(std::string& out, const ObjectPath& path);       // INSTANCENAME
// The tag that opens a KEYVALUE of this type.
std::string_view KeyValueTag(CimType type);
// What stands in VALUE or KEYVALUE for a scalar; for a reference, VALUE.REFERENCE.
void AppendText(std::string& out, const Value& value);
// LOCALINSTANCEPATH, or INSTANCENAME when there is no namespace; without host, as references are compared.
void AppendReference(std::string& out, const ObjectPath& path);          // VALUE.REFERENCE
// VALUE, VALUE.ARRAY, VALUE.REFERENCE or VALUE.REFARRAY; nothing for NULL. Instances as escaped text.
void AppendValue(std::string& out, const Value& value);
// PROPERTY, PROPERTY.ARRAY or PROPERTY.REFERENCE; `extra` is attributes ready to be inserted, `content` elements that
// come before the value.
void AppendProperty(std::string& out, const TypedElement& declared, const Value& value, std::string_view extra,
                    std::string_view content);
// INSTANCE, without path; types are those of the values.
void AppendInstance(std::string& out, const Instance& instance);

}  // namespace lockstep::wbem
