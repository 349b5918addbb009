#include "wbem/cimxml_objects.h"

#include <fmt/format.h>

#include "wbem/utf8.h"
#include "wbem/xml_check.h"

namespace lockstep::wbem {
namespace {

// Far beyond any class of the schema: comparing names pairwise must stay cheap whatever a client sends.
constexpr size_t kMaxProperties = 1024;
constexpr size_t kMaxKeys = 64;

Status Unexpected(pugi::xml_node node, pugi::xml_node parent) {
  return InvalidArgument(fmt::format("element {} is not expected in {}", node.name(), parent.name()));
}

std::string TextOf(pugi::xml_node node) {
  std::string text;
  for (const pugi::xml_node child : node.children())
    if (child.type() == pugi::node_pcdata || child.type() == pugi::node_cdata) text += child.value();
  return text;
}

Status RefuseChildren(pugi::xml_node node) {
  const pugi::xml_node child = FirstElement(node);
  return child ? Unexpected(child, node) : Status();
}

Result<Value> ReadScalar(pugi::xml_node node, std::optional<CimType> type) {
  LS_RETURN_IF_ERROR(RefuseChildren(node));
  std::string text = TextOf(node);
  if (!type || *type == CimType::kString) return Value(std::move(text));
  const size_t first = text.find_first_not_of(" \t\r\n");
  const size_t last = text.find_last_not_of(" \t\r\n");
  if (*type == CimType::kChar16 || first == text.npos) return Value::Parse(*type, text);
  return Value::Parse(*type, std::string_view(text).substr(first, last - first + 1));
}

Result<Value> ReadReferenceValue(pugi::xml_node node) {
  const pugi::xml_node inner = FirstElement(node);
  if (!inner || NextElement(inner)) return InvalidArgument("VALUE.REFERENCE holds exactly one path");
  LS_ASSIGN_OR_RETURN(ObjectPath path, ReadObjectPath(inner));
  return Value(std::move(path));
}

Result<Value> ReadArray(pugi::xml_node array, std::optional<CimType> type) {
  const bool references = IsElement(array, "VALUE.REFARRAY");
  Value::Elements elements;
  for (pugi::xml_node e = FirstElement(array); e; e = NextElement(e)) {
    if (IsElement(e, "VALUE.NULL")) {
      elements.push_back(Value::Null(references ? CimType::kReference : type.value_or(CimType::kString)));
      continue;
    }
    if (!IsElement(e, references ? "VALUE.REFERENCE" : "VALUE")) return Unexpected(e, array);
    Result<Value> value = references ? ReadReferenceValue(e) : ReadScalar(e, type);
    LS_RETURN_IF_ERROR(value.status());
    elements.push_back(*std::move(value));
  }
  return Value::ArrayOf(references ? CimType::kReference : type.value_or(CimType::kString), std::move(elements));
}

Result<Property> ReadProperty(pugi::xml_node node) {
  Property property;
  LS_ASSIGN_OR_RETURN(property.name, RequiredAttribute(node, "NAME"));
  const bool reference = IsElement(node, "PROPERTY.REFERENCE");
  const bool array = IsElement(node, "PROPERTY.ARRAY");
  CimType type = CimType::kReference;
  if (!reference) {
    LS_ASSIGN_OR_RETURN(const std::string type_name, RequiredAttribute(node, "TYPE"));
    const auto known = ParseTypeName(type_name);
    if (!known || *known == CimType::kReference)
      return InvalidArgument(fmt::format("property '{}' has the unknown type '{}'", property.name, type_name));
    type = *known;
  }
  Result<Value> value = ReadValueOf(node, type);
  if (!value.ok()) return value.status().WithContext("property '" + property.name.str() + "'");
  if (value->is_null()) value = Value::Null(type, array);
  if (value->is_array() != array || (value->type() == CimType::kReference) != reference)
    return InvalidArgument(fmt::format("the value of property '{}' does not fit {}", property.name, node.name()));
  property.value = *std::move(value);
  return property;
}

Result<Value> ReadKeyValue(pugi::xml_node node) {
  if (IsElement(node, "VALUE.REFERENCE")) return ReadReferenceValue(node);
  const std::string_view kind = node.attribute("VALUETYPE").as_string("string");
  const std::string text = TextOf(node);
  if (kind == "string") {
    LS_RETURN_IF_ERROR(RefuseChildren(node));
    return Value(text);
  }
  if (kind == "boolean") return ReadScalar(node, CimType::kBoolean);
  if (kind != "numeric") return InvalidArgument(fmt::format("VALUETYPE '{}' is not known", kind));
  return ReadScalar(node, text.find('-') == text.npos ? CimType::kUint64 : CimType::kSint64);
}

Status ReadKeyBinding(pugi::xml_node node, ObjectPath& path) {
  Property key;
  LS_ASSIGN_OR_RETURN(key.name, RequiredAttribute(node, "NAME"));
  const pugi::xml_node value = FirstElement(node);
  if (!value || NextElement(value) || !(IsElement(value, "KEYVALUE") || IsElement(value, "VALUE.REFERENCE")))
    return InvalidArgument(fmt::format("KEYBINDING '{}' holds exactly one KEYVALUE or VALUE.REFERENCE", key.name));
  LS_ASSIGN_OR_RETURN(key.value, ReadKeyValue(value));
  if (path.keys.size() == kMaxKeys) return InvalidArgument("more than 64 keys are refused");
  if (path.Key(key.name)) return InvalidArgument(fmt::format("key '{}' is given twice", key.name));
  path.keys.push_back(std::move(key));
  return {};
}

// NAMESPACEPATH: HOST and LOCALNAMESPACEPATH.
Status ReadNamespacePath(pugi::xml_node node, ObjectPath& path) {
  const pugi::xml_node host = FirstElement(node);
  if (!IsElement(host, "HOST")) return InvalidArgument("NAMESPACEPATH begins with HOST");
  LS_ASSIGN_OR_RETURN(path.ns, ReadNamespace(NextElement(host)));
  path.host = TextOf(host);
  return {};
}

}  // namespace

Result<pugi::xml_node> ParseXmlDocument(std::string_view text, std::string_view root, pugi::xml_document& document) {
  if (!IsUtf8(text)) return ProtocolError("the XML is not UTF-8");
  LS_RETURN_IF_ERROR(CheckXml(text, XmlLimits()));
  // White space that is a VALUE's only content is content.
  constexpr unsigned kFlags = pugi::parse_default | pugi::parse_ws_pcdata_single;
  const pugi::xml_parse_result parsed = document.load_buffer(text.data(), text.size(), kFlags, pugi::encoding_utf8);
  if (!parsed)
    return InvalidArgument(fmt::format("the XML is not well formed at byte {}: {}", parsed.offset,
                                       parsed.description()));
  const pugi::xml_node element = document.document_element();
  if (!IsElement(element, root)) return ProtocolError(fmt::format("the outermost element is not {}", root));
  return element;
}

Result<Instance> ParseXmlInstance(std::string_view text) {
  pugi::xml_document document;
  const Result<pugi::xml_node> node = ParseXmlDocument(text, "INSTANCE", document);
  if (!node.ok()) return InvalidArgument(node.status().message());
  return ReadInstance(*node);
}

bool IsElement(pugi::xml_node node, std::string_view name) {
  return node.type() == pugi::node_element && node.name() == name;
}

pugi::xml_node FirstElement(pugi::xml_node parent) {
  const pugi::xml_node first = parent.first_child();
  return !first || first.type() == pugi::node_element ? first : NextElement(first);
}

pugi::xml_node NextElement(pugi::xml_node node) {
  do node = node.next_sibling();
  while (node && node.type() != pugi::node_element);
  return node;
}

Result<std::string> RequiredAttribute(pugi::xml_node node, const char* name) {
  const pugi::xml_attribute attribute = node.attribute(name);
  if (!attribute) return InvalidArgument(fmt::format("{} has no attribute {}", node.name(), name));
  return std::string(attribute.value());
}

Result<Instance> ReadInstance(pugi::xml_node node) {
  Instance instance;
  LS_ASSIGN_OR_RETURN(instance.class_name, RequiredAttribute(node, "CLASSNAME"));
  for (pugi::xml_node e = FirstElement(node); e; e = NextElement(e)) {
    if (IsElement(e, "QUALIFIER")) continue;  // wbemcli copies them from the class; instances have none
    if (!IsElement(e, "PROPERTY") && !IsElement(e, "PROPERTY.ARRAY") && !IsElement(e, "PROPERTY.REFERENCE"))
      return Unexpected(e, node);
    if (instance.properties.size() == kMaxProperties) return InvalidArgument("more than 1024 properties are refused");
    LS_ASSIGN_OR_RETURN(Property property, ReadProperty(e));
    instance.Add(std::move(property.name), std::move(property.value));
  }
  return instance;
}

Result<Instance> ReadNamedInstance(pugi::xml_node node) {
  const pugi::xml_node name = FirstElement(node);
  const pugi::xml_node body = NextElement(name);
  if (!IsElement(name, "INSTANCENAME") || !IsElement(body, "INSTANCE"))
    return InvalidArgument("VALUE.NAMEDINSTANCE holds INSTANCENAME and INSTANCE");
  LS_ASSIGN_OR_RETURN(Instance instance, ReadInstance(body));
  LS_ASSIGN_OR_RETURN(instance.path, ReadInstanceName(name));
  return instance;
}

Result<ObjectPath> ReadInstanceName(pugi::xml_node node) {
  if (!IsElement(node, "INSTANCENAME")) return InvalidArgument("INSTANCENAME is expected");
  ObjectPath path;
  LS_ASSIGN_OR_RETURN(path.class_name, RequiredAttribute(node, "CLASSNAME"));
  for (pugi::xml_node e = FirstElement(node); e; e = NextElement(e)) {
    if (IsElement(e, "KEYBINDING")) {
      LS_RETURN_IF_ERROR(ReadKeyBinding(e, path));
    } else if (IsElement(e, "KEYVALUE") || IsElement(e, "VALUE.REFERENCE")) {
      if (!path.keys.empty()) return InvalidArgument("only a single key may stand without its name");
      LS_ASSIGN_OR_RETURN(Value value, ReadKeyValue(e));
      path.keys.push_back({"", std::move(value)});
    } else {
      return Unexpected(e, node);
    }
  }
  return path;
}

Result<std::string> ReadNamespace(pugi::xml_node node) {
  if (!IsElement(node, "LOCALNAMESPACEPATH")) return InvalidArgument("LOCALNAMESPACEPATH is expected");
  std::string ns;
  for (pugi::xml_node e = FirstElement(node); e; e = NextElement(e)) {
    if (!IsElement(e, "NAMESPACE")) return Unexpected(e, node);
    LS_ASSIGN_OR_RETURN(const std::string part, RequiredAttribute(e, "NAME"));
    if (!ns.empty()) ns += '/';
    ns += part;
  }
  return ObjectPath(ns, "").ns;
}

Result<ObjectPath> ReadObjectPath(pugi::xml_node node) {
  const std::string_view name = node.name();
  if (name == "INSTANCENAME") return ReadInstanceName(node);
  ObjectPath path;
  if (name == "CLASSNAME") {
    LS_ASSIGN_OR_RETURN(path.class_name, RequiredAttribute(node, "NAME"));
    return path;
  }
  const bool with_host = name == "INSTANCEPATH" || name == "CLASSPATH";
  if (!with_host && name != "LOCALINSTANCEPATH" && name != "LOCALCLASSPATH")
    return InvalidArgument(fmt::format("element {} is no object path", name));
  const pugi::xml_node where = FirstElement(node);
  const pugi::xml_node what = NextElement(where);
  const bool of_class = name == "CLASSPATH" || name == "LOCALCLASSPATH";
  if (!IsElement(what, of_class ? "CLASSNAME" : "INSTANCENAME") || NextElement(what))
    return InvalidArgument(fmt::format("{} holds a namespace path and a name", name));
  ObjectPath place;
  if (with_host) {
    LS_RETURN_IF_ERROR(ReadNamespacePath(where, place));
  } else {
    LS_ASSIGN_OR_RETURN(place.ns, ReadNamespace(where));
  }
  LS_ASSIGN_OR_RETURN(path, ReadObjectPath(what));
  path.ns = std::move(place.ns);
  path.host = std::move(place.host);
  return path;
}

Result<Value> ReadValueOf(pugi::xml_node parent, std::optional<CimType> type) {
  Value value = Value::Null(type.value_or(CimType::kString));
  bool found = false;
  for (pugi::xml_node e = FirstElement(parent); e; e = NextElement(e)) {
    if (IsElement(e, "QUALIFIER")) continue;
    if (found) return Unexpected(e, parent);
    found = true;
    if (IsElement(e, "VALUE")) {
      LS_ASSIGN_OR_RETURN(value, ReadScalar(e, type));
    } else if (IsElement(e, "VALUE.ARRAY") || IsElement(e, "VALUE.REFARRAY")) {
      LS_ASSIGN_OR_RETURN(value, ReadArray(e, type));
    } else if (IsElement(e, "VALUE.REFERENCE")) {
      LS_ASSIGN_OR_RETURN(value, ReadReferenceValue(e));
    } else if (!IsElement(e, "VALUE.NULL")) {
      return Unexpected(e, parent);
    }
  }
  return value;
}

}  // namespace lockstep::wbem
