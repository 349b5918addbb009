#include "wbem/coerce.h"

#include <fmt/format.h>

#include "wbem/cimxml_objects.h"
#include "wbem/mof.h"

namespace lockstep::wbem {
namespace {

// Embedded instances come as text in either of the notations that DSP0201 and DSP0004 have for it.
Result<Instance> ParseEmbedded(std::string_view text) {
  const size_t start = text.find_first_not_of(" \t\r\n\xef\xbb\xbf");
  if (start == text.npos) return InvalidArgument("an embedded instance is empty text");
  if (text[start] == '<') return ParseXmlInstance(text);
  return ParseMofInstance(text);
}

}  // namespace

Result<Value> Coercion::ToDeclared(const TypedElement& declared, const Value& sent, bool typed) const {
  if (depth_ > kMaxEmbedding) return InvalidArgument(fmt::format("'{}' is nested more than 8 deep", declared.name));
  Result<Value> value = ElementValue(declared, sent, typed);
  if (!value.ok()) return value.status().WithContext("'" + declared.name + "'");
  return value;
}

Result<Value> Coercion::ElementValue(const TypedElement& declared, const Value& sent, bool typed) const {
  if (sent.is_null()) return Value::Null(declared.type, declared.array);
  if (sent.is_array() != declared.array)
    return InvalidArgument(declared.array ? "an array is declared, a single value was sent"
                                          : "a single value is declared, an array was sent");
  const Value::Elements* elements = sent.AsArray();
  if (!elements) return Scalar(declared, sent, typed);
  if (declared.array_size && elements->size() > *declared.array_size)
    return InvalidArgument(fmt::format("at most {} elements are declared", *declared.array_size));
  Value::Elements converted;
  converted.reserve(elements->size());
  for (const Value& e : *elements) {
    LS_ASSIGN_OR_RETURN(Value c, Scalar(declared, e, typed));
    converted.push_back(std::move(c));
  }
  return Value::ArrayOf(declared.type, std::move(converted));
}

Result<Value> Coercion::Scalar(const TypedElement& declared, const Value& sent, bool typed) const {
  if (sent.is_null()) return Value::Null(declared.type);
  if (declared.type == CimType::kReference) return Reference(declared, sent);
  if (declared.type == CimType::kInstance) return Embedded(declared, sent);
  if (!typed && sent.AsString()) return Value::Parse(declared.type, *sent.AsString());
  return sent.ConvertTo(declared.type, false);
}

Result<Value> Coercion::Reference(const TypedElement& declared, const Value& sent) const {
  ObjectPath path;
  if (const ObjectPath* reference = sent.AsReference()) {
    path = *reference;
  } else if (const std::string* text = sent.AsString()) {
    LS_ASSIGN_OR_RETURN(path, ObjectPath::Parse(*text));
  } else {
    return InvalidArgument(fmt::format("a reference is declared, a {} was sent", TypeName(sent.type())));
  }
  LS_ASSIGN_OR_RETURN(path, Deeper().ToPath(std::move(path)));
  const bool declared_there = schema_.Find(path.ns, declared.object_class) != nullptr;
  if (!declared.object_class.empty() && declared_there && !schema_.IsA(path.ns, path.class_name, declared.object_class))
    return InvalidArgument(fmt::format("{} is no {}", path.ToString(), declared.object_class));
  return Value(std::move(path));
}

Result<Value> Coercion::Embedded(const TypedElement& declared, const Value& sent) const {
  Instance instance;
  if (const Instance* given = sent.AsInstance()) {
    instance = *given;
  } else if (const std::string* text = sent.AsString()) {
    LS_ASSIGN_OR_RETURN(instance, ParseEmbedded(*text));
  } else {
    return InvalidArgument(fmt::format("an embedded instance is declared, a {} was sent", TypeName(sent.type())));
  }
  LS_RETURN_IF_ERROR(Deeper().TypeInstance(instance));
  if (!declared.object_class.empty() && !schema_.IsA(ns_, instance.class_name, declared.object_class))
    return InvalidArgument(fmt::format("an instance of {} is declared, one of {} was sent", declared.object_class,
                                       instance.class_name));
  return Value(std::move(instance));
}

Status Coercion::TypeInstance(Instance& instance) const {
  const ClassDecl* cls = schema_.Find(ns_, instance.class_name);
  if (!cls) return InvalidArgument(fmt::format("class {} is not declared in {}", instance.class_name, ns_));
  instance.class_name = cls->name;
  for (Property& p : instance.properties) {
    const PropertyDecl* declared = cls->FindProperty(p.name);
    if (!declared) return InvalidArgument(fmt::format("class {} has no property '{}'", cls->name, p.name));
    LS_ASSIGN_OR_RETURN(p.value, ToDeclared(*declared, p.value, true));
    p.name = declared->name;
  }
  return {};
}

Result<ObjectPath> Coercion::ToPath(ObjectPath path) const {
  if (path.ns.empty()) path.ns = ns_;
  const ClassDecl* cls = schema_.Find(path.ns, path.class_name);
  if (!cls) return InvalidArgument(fmt::format("class {} is not declared in namespace {}", path.class_name, path.ns));
  path.class_name = cls->name;
  path.host.clear();
  const std::vector<std::string> names = cls->KeyNames();
  if (path.keys.empty() || names.empty()) return path;
  // DSP0201 5.3.3.1: the only key of a class may be given without its name.
  if (path.keys.size() == 1 && path.keys[0].name.empty() && names.size() == 1) path.keys[0].name = names[0];
  for (Property& key : path.keys) {
    const PropertyDecl* declared = cls->FindProperty(key.name);
    if (!declared || !declared->key)
      return InvalidArgument(fmt::format("class {} has no key '{}'", cls->name, key.name));
    LS_ASSIGN_OR_RETURN(key.value, ToDeclared(*declared, key.value, false));
    key.name = declared->name;
  }
  for (const std::string& name : names)
    if (!path.Key(name)) return InvalidArgument(fmt::format("{}: key '{}' is missing", path.ToString(), name));
  if (path.keys.size() != names.size()) return InvalidArgument(path.ToString() + ": a key is given twice");
  return path;
}

}  // namespace lockstep::wbem
