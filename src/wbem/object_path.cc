#include <algorithm>

#include <fmt/format.h>

#include "wbem/objects.h"

namespace lockstep::wbem {
namespace {

constexpr size_t kMaxPathText = 64 * 1024;

bool KeySame(const Value& a, const Value& b) {
  if (a.is_null() || b.is_null()) return a.is_null() && b.is_null();
  const ObjectPath* left = a.AsReference();
  const ObjectPath* right = b.AsReference();
  if (left && right) return left->SameAs(*right);
  if (a.AsString() && b.AsString()) return *a.AsString() == *b.AsString();
  const auto kind = [](const Value& v) { return v.AsBool() ? 0 : IsNumeric(v.type()) ? 1 : v.AsReference() ? 2 : 3; };
  return kind(a) == kind(b) && a.ToText() == b.ToText();
}

// A string literal's text: `"` and `\` escaped.
void AppendQuoted(std::string& out, std::string_view text) {
  out += '"';
  if (text.find_first_of("\"\\") == text.npos) {
    out += text;
  } else {
    for (const char c : text) {
      if (c == '"' || c == '\\') out += '\\';
      out += c;
    }
  }
  out += '"';
}

std::string Quoted(std::string_view text) {
  std::string out;
  AppendQuoted(out, text);
  return out;
}

void AppendLower(std::string& out, std::string_view name) {
  const size_t from = out.size();
  out += name;
  for (size_t i = from; i < out.size(); ++i)
    if (out[i] >= 'A' && out[i] <= 'Z') out[i] = static_cast<char>(out[i] + ('a' - 'A'));
}

std::string KeyLiteral(const Value& v) {
  if (v.AsBool() || IsNumeric(v.type())) return v.ToText();
  if (v.type() == CimType::kChar16) return "'" + v.ToText() + "'";
  return Quoted(v.ToText());
}

std::vector<const Property*> SortedKeys(const std::vector<Property>& keys) {
  std::vector<const Property*> sorted;
  sorted.reserve(keys.size());
  for (const Property& k : keys) sorted.push_back(&k);
  std::sort(sorted.begin(), sorted.end(), [](auto* a, auto* b) { return NameLess(a->name, b->name); });
  return sorted;
}

// Reads name=value pairs from the text of an object path.
class KeyReader {
 public:
  explicit KeyReader(std::string_view text) : rest_(text) {}

  Status ReadAll(std::vector<Property>& keys) {
    while (true) {
      const size_t equals = rest_.find('=');
      if (equals == rest_.npos || equals == 0) return InvalidArgument("an object path's keys are written Name=value");
      Property key{std::string(rest_.substr(0, equals)), {}};
      rest_.remove_prefix(equals + 1);
      LS_RETURN_IF_ERROR(ReadValue(key.value));
      for (const Property& k : keys)
        if (NameEquals(k.name, key.name)) return InvalidArgument(fmt::format("key '{}' is given twice", k.name));
      keys.push_back(std::move(key));
      if (rest_.empty()) return {};
      if (rest_[0] != ',') return InvalidArgument("the keys of an object path are separated by commas");
      rest_.remove_prefix(1);
    }
  }

 private:
  Status ReadValue(Value& value) {
    if (rest_.starts_with('"')) return ReadQuoted(value);
    const size_t end = std::min(rest_.find(','), rest_.size());
    const std::string_view token = rest_.substr(0, end);
    rest_.remove_prefix(end);
    Result<Value> parsed = InvalidArgument("");
    if (token.size() > 2 && token.front() == '\'' && token.back() == '\'')
      parsed = Value::Parse(CimType::kChar16, token.substr(1, token.size() - 2));
    else if (NameEquals(token, "true") || NameEquals(token, "false"))
      parsed = Value::Parse(CimType::kBoolean, token);
    else
      parsed = Value::Parse(token.starts_with('-') ? CimType::kSint64 : CimType::kUint64, token);
    LS_RETURN_IF_ERROR(parsed.status());
    value = *std::move(parsed);
    return {};
  }

  Status ReadQuoted(Value& value) {
    std::string text;
    size_t i = 1;
    for (; i < rest_.size() && rest_[i] != '"'; ++i) {
      if (rest_[i] == '\\' && ++i == rest_.size()) break;
      text += rest_[i];
    }
    if (i >= rest_.size()) return InvalidArgument("a quoted key value of an object path does not end");
    rest_.remove_prefix(i + 1);
    value = Value(std::move(text));
    return {};
  }

  std::string_view rest_;
};

}  // namespace

std::string_view StripSlashes(std::string_view ns) {
  while (ns.starts_with('/')) ns.remove_prefix(1);
  while (ns.ends_with('/')) ns.remove_suffix(1);
  return ns;
}

ObjectPath::ObjectPath(std::string ns_, std::string class_name_, std::vector<Property> keys_)
    : ns(StripSlashes(ns_)), class_name(std::move(class_name_)), keys(std::move(keys_)) {}

const Value* ObjectPath::Key(std::string_view name) const {
  for (const Property& k : keys)
    if (NameEquals(k.name, name)) return &k.value;
  return nullptr;
}

std::string_view ObjectPath::KeyText(std::string_view name) const {
  const Value* v = Key(name);
  const std::string* text = v ? v->AsString() : nullptr;
  return text ? std::string_view(*text) : std::string_view();
}

ObjectPath& ObjectPath::SetKey(PropertyName name, Value value) {
  for (Property& k : keys) {
    if (!NameEquals(k.name, name)) continue;
    k.value = std::move(value);
    return *this;
  }
  keys.push_back({std::move(name), std::move(value)});
  return *this;
}

bool ObjectPath::SameAs(const ObjectPath& other) const {
  if (keys.size() != other.keys.size() || !NameEquals(class_name, other.class_name) || !NameEquals(ns, other.ns))
    return false;
  return std::all_of(keys.begin(), keys.end(), [&](const Property& k) {
    const Value* theirs = other.Key(k.name);
    return theirs && KeySame(k.value, *theirs);
  });
}

std::string ObjectPath::CanonicalKey() const {
  std::string out;
  out.reserve(256);
  AppendLower(out, ns);
  out += ':';
  AppendLower(out, class_name);
  char separator = '.';
  for (const Property* k : SortedKeys(keys)) {
    out += separator;
    AppendLower(out, k->name);
    out += '=';
    if (const std::string* text = k->value.AsString()) {
      AppendQuoted(out, *text);
    } else if (const ObjectPath* inner = k->value.AsReference()) {
      out += '@';
      AppendQuoted(out, inner->CanonicalKey());
    } else {
      out += k->value.is_null() ? "NULL" : KeyLiteral(k->value);
    }
    separator = ',';
  }
  return out;
}

std::string ObjectPath::ToString() const {
  std::string out = ns.empty() ? class_name : ns + ":" + class_name;
  char separator = '.';
  for (const Property* k : SortedKeys(keys)) {
    out += separator;
    out.append(k->name).append("=").append(KeyLiteral(k->value));
    separator = ',';
  }
  return out;
}

Result<ObjectPath> ObjectPath::Parse(std::string_view text) {
  if (text.size() > kMaxPathText) return InvalidArgument("an object path longer than 64 KiB is refused");
  ObjectPath path;
  if (text.starts_with("//")) {
    const size_t end = text.find('/', 2);
    if (end == text.npos) return InvalidArgument("an object path with a host is written //host/namespace:Class");
    path.host = text.substr(2, end - 2);
    text.remove_prefix(end + 1);
  }
  const size_t mark = text.find_first_of(":.\"=");
  if (mark != text.npos && text[mark] == ':') {
    path.ns = StripSlashes(text.substr(0, mark));
    text.remove_prefix(mark + 1);
  }
  const size_t dot = std::min(text.find('.'), text.size());
  path.class_name = text.substr(0, dot);
  const auto in_name = [](char c) { return (c & 0x80) || c == '_' || isalnum(static_cast<unsigned char>(c)); };
  if (path.class_name.empty() || !std::all_of(path.class_name.begin(), path.class_name.end(), in_name))
    return InvalidArgument(
        fmt::format("'{}' is no object path; write namespace:Class.Key=\"value\"", text.substr(0, 80)));
  if (dot < text.size()) LS_RETURN_IF_ERROR(KeyReader(text.substr(dot + 1)).ReadAll(path.keys));
  return path;
}

}  // namespace lockstep::wbem
