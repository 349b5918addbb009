#include <algorithm>

#include "wbem/objects.h"

namespace lockstep::wbem {

const Value* Instance::Find(std::string_view name) const {
  for (const Property& p : properties)
    if (NameEquals(p.name, name)) return &p.value;
  return nullptr;
}

const Value& Instance::operator[](std::string_view name) const {
  static const Value kNull;
  const Value* v = Find(name);
  return v ? *v : kNull;
}

Instance& Instance::Set(std::string_view name, Value value) {
  for (Property& p : properties) {
    if (!NameEquals(p.name, name)) continue;
    p.value = std::move(value);
    return *this;
  }
  return Add(name, std::move(value));
}

bool Instance::operator==(const Instance& other) const {
  if (!NameEquals(class_name, other.class_name) || properties.size() != other.properties.size()) return false;
  return std::all_of(properties.begin(), properties.end(), [&](const Property& p) {
    const Value* theirs = other.Find(p.name);
    return theirs && *theirs == p.value;
  });
}

}  // namespace lockstep::wbem
