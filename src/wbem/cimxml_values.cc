#include "wbem/cimxml_values.h"

#include <algorithm>
#include <charconv>

#include "wbem/xml_check.h"

namespace lockstep::wbem {
namespace {

void AppendKeyValue(std::string& out, const Value& value) {
  if (value.AsReference()) {
    AppendText(out, value);
    return;
  }
  out += KeyValueTag(value.type());
  AppendText(out, value);
  out += "</KEYVALUE>";
}

template <typename T>
void AppendNumber(std::string& out, T number) {
  char digits[24];
  const std::to_chars_result end = std::to_chars(digits, digits + sizeof digits, number);
  out.append(digits, static_cast<size_t>(end.ptr - digits));
}

void AppendScalar(std::string& out, const Value& value) {
  if (const ObjectPath* reference = value.AsReference()) {
    AppendReference(out, *reference);
    return;
  }
  out += "<VALUE>";
  if (const Instance* instance = value.AsInstance()) {
    std::string inner;
    AppendInstance(inner, *instance);
    AppendXmlText(out, inner);
  } else {
    AppendText(out, value);
  }
  out += "</VALUE>";
}

// A declaration for a value that has none: a property of an embedded instance.
TypedElement DeclarationOf(const Property& property) {
  TypedElement element;
  element.name = property.name;
  element.type = property.value.type();
  element.array = property.value.is_array();
  if (const Instance* instance = property.value.AsInstance()) element.object_class = instance->class_name;
  if (const ObjectPath* reference = property.value.AsReference()) element.object_class = reference->class_name;
  return element;
}

}  // namespace

std::string_view KeyValueTag(CimType type) {
  return type == CimType::kBoolean ? "<KEYVALUE VALUETYPE=\"boolean\">"
         : IsNumeric(type)         ? "<KEYVALUE VALUETYPE=\"numeric\">"
                                   : "<KEYVALUE VALUETYPE=\"string\">";
}

// Without going through a string of its own where there are many of a kind.
void AppendText(std::string& out, const Value& value) {
  const CimType type = value.type();
  if (value.is_null()) return;
  if (type == CimType::kString) AppendXmlText(out, *value.AsString());
  else if (IsUnsigned(type)) AppendNumber(out, *value.AsUnsigned());
  else if (IsSigned(type)) AppendNumber(out, *value.AsSigned());
  else if (type == CimType::kBoolean && value.AsBool()) out += *value.AsBool() ? "TRUE" : "FALSE";
  else if (const ObjectPath* reference = value.AsReference()) AppendReference(out, *reference);
  else AppendXmlText(out, value.ToText());
}

void AppendAttribute(std::string& out, std::string_view name, std::string_view value) {
  out += ' ';
  out += name;
  out += "=\"";
  AppendXmlText(out, value);
  out += '"';
}

void AppendNamespacePath(std::string& out, std::string_view ns) {
  out += "<LOCALNAMESPACEPATH>";
  while (!ns.empty()) {
    const size_t slash = std::min(ns.find('/'), ns.size());
    out += "<NAMESPACE";
    AppendAttribute(out, "NAME", ns.substr(0, slash));
    out += "/>";
    ns.remove_prefix(std::min(slash + 1, ns.size()));
  }
  out += "</LOCALNAMESPACEPATH>";
}

void AppendInstanceName(std::string& out, const ObjectPath& path) {
  out += "<INSTANCENAME";
  AppendAttribute(out, "CLASSNAME", path.class_name);
  out += '>';
  for (const Property& key : path.keys) {
    out += "<KEYBINDING";
    AppendAttribute(out, "NAME", key.name);
    out += '>';
    AppendKeyValue(out, key.value);
    out += "</KEYBINDING>";
  }
  out += "</INSTANCENAME>";
}

void AppendReference(std::string& out, const ObjectPath& path) {
  out += "<VALUE.REFERENCE>";
  if (path.ns.empty()) {
    AppendInstanceName(out, path);
  } else {
    out += "<LOCALINSTANCEPATH>";
    AppendNamespacePath(out, path.ns);
    AppendInstanceName(out, path);
    out += "</LOCALINSTANCEPATH>";
  }
  out += "</VALUE.REFERENCE>";
}

void AppendValue(std::string& out, const Value& value) {
  if (value.is_null()) return;
  const Value::Elements* elements = value.AsArray();
  if (!elements) {
    AppendScalar(out, value);
    return;
  }
  const bool references = value.type() == CimType::kReference;
  out += references ? "<VALUE.REFARRAY>" : "<VALUE.ARRAY>";
  for (const Value& e : *elements) {
    // DTD 2.0 has no NULL among elements; for references there is nothing to put in its place.
    if (!e.is_null()) AppendScalar(out, e);
    else if (!references) out += "<VALUE></VALUE>";
  }
  out += references ? "</VALUE.REFARRAY>" : "</VALUE.ARRAY>";
}

void AppendProperty(std::string& out, const TypedElement& declared, const Value& value, std::string_view extra,
                    std::string_view content) {
  const bool reference = declared.type == CimType::kReference;
  const std::string_view element = reference ? "PROPERTY.REFERENCE" : declared.array ? "PROPERTY.ARRAY" : "PROPERTY";
  out += '<';
  out += element;
  AppendAttribute(out, "NAME", declared.name);
  if (reference) AppendAttribute(out, "REFERENCECLASS", declared.object_class);
  else AppendAttribute(out, "TYPE", TypeName(declared.type));
  if (declared.array_size) AppendAttribute(out, "ARRAYSIZE", std::to_string(*declared.array_size));
  out += extra;
  // wbemcli's reader knows this attribute on PROPERTY only and gives up on PROPERTY.ARRAY with it, so an array carries
  // it only where there is something to decode.
  const Value::Elements* elements = value.AsArray();
  if (declared.type == CimType::kInstance && (!declared.array || (elements && !elements->empty())))
    out += declared.object_class.empty() ? " EmbeddedObject=\"object\"" : " EmbeddedObject=\"instance\"";
  out += '>';
  out += content;
  AppendValue(out, value);
  out += "</";
  out += element;
  out += '>';
}

void AppendInstance(std::string& out, const Instance& instance) {
  out += "<INSTANCE";
  AppendAttribute(out, "CLASSNAME", instance.class_name);
  out += '>';
  for (const Property& p : instance.properties) AppendProperty(out, DeclarationOf(p), p.value, "", "");
  out += "</INSTANCE>";
}

}  // namespace lockstep::wbem
