#include "wbem/instance_view.h"

#include <algorithm>

#include <fmt/format.h>

namespace lockstep::wbem {
namespace {

constexpr uint32_t kNowhere = UINT32_MAX;

}  // namespace

ObjectPath PathOf(const ClassDecl& cls, const std::string& ns, Instance& instance) {
  ObjectPath path = instance.path.empty() ? MakePath(cls, ns, instance) : std::move(instance.path);
  if (path.ns.empty()) path.ns = ns;
  return path;
}

CimStatus InstanceDelivery::Put(const ClassDecl& served, const std::string& ns, Instance& instance, Reply& reply) {
  const ClassDecl* cls = &served;
  if (instance.class_name != cls->name && !NameEquals(instance.class_name, cls->name))
    cls = schema_.Find(ns, instance.class_name);
  if (!cls)
    return {CimCode::kFailed, fmt::format("the provider of {} gave an instance of the undeclared class '{}'",
                                          served.name, instance.class_name)};
  CimStatus aligned = Align(*cls, instance);
  if (!aligned.ok()) return aligned;
  if (instance.path.empty() && reply.TakesKeys() && CollectKeys(*cls, instance)) {
    if (place_.ns != ns) place_.ns = ns;
    reply.PutInstance({*cls, place_, values_, keys_});
    return {};
  }
  const ObjectPath path = PathOf(*cls, ns, instance);
  reply.PutInstance({*cls, path, values_});
  return {};
}

// False when a key is missing, NULL or not of its type.
bool InstanceDelivery::CollectKeys(const ClassDecl& cls, const Instance& instance) {
  keys_.clear();
  for (const size_t index : key_indexes_) {
    if (places_[index] >= instance.properties.size()) return false;
    const Value& value = instance.properties[places_[index]].value;
    if (value.is_null() || value.type() != cls.properties[index]->type) return false;
    keys_.push_back(&value);
  }
  return true;
}

void InstanceDelivery::SelectProperties(const ClassDecl& cls) {
  selected_for_ = &cls;
  places_.assign(cls.properties.size(), kNowhere);
  key_indexes_.clear();
  for (size_t i = 0; i < cls.properties.size(); ++i)
    if (cls.properties[i]->key) key_indexes_.push_back(i);
  selected_.clear();
  const bool limited = limit_ && limit_ != &cls;
  if (!request_.property_list && !limited) return;
  for (const auto& p : cls.properties) {
    const auto& list = request_.property_list;
    const auto same = [&](const std::string& name) { return NameEquals(name, p->name); };
    const bool asked = !list || std::any_of(list->begin(), list->end(), same);
    selected_.push_back(asked && (!limited || limit_->FindProperty(p->name)));
  }
}

// Finds the place of each property of the instance among those of the class; each at most once.
CimStatus InstanceDelivery::Place(const ClassDecl& cls, const Instance& instance) {
  places_.assign(cls.properties.size(), kNowhere);
  size_t next = 0;  // most providers keep more or less to the class's order
  for (size_t k = 0; k < instance.properties.size(); ++k) {
    const std::string_view name = instance.properties[k].name;
    size_t i = 0;
    for (; i < cls.properties.size(); ++i, ++next) {
      if (next >= cls.properties.size()) next = 0;
      if (NameEquals(cls.properties[next]->name, name)) break;
    }
    if (i == cls.properties.size())
      return {CimCode::kFailed, fmt::format("the provider of {} gave the undeclared property '{}'", cls.name, name)};
    if (places_[next] != kNowhere)
      return {CimCode::kFailed, fmt::format("the provider of {} gave property '{}' twice", cls.name, name)};
    places_[next++] = static_cast<uint32_t>(k);
  }
  return {};
}

CimStatus InstanceDelivery::Convert(const ClassDecl& cls, size_t index, const Value& value) {
  const PropertyDecl& p = *cls.properties[index];
  Result<Value> converted = value.ConvertTo(p.type, p.array);
  if (!converted.ok())
    return {CimCode::kFailed, fmt::format("the provider of {} gave a wrong {}: {}", cls.name, p.name,
                                          converted.status().message())};
  values_[index] = &converted_.emplace_back(*std::move(converted));
  return {};
}

CimStatus InstanceDelivery::Align(const ClassDecl& cls, const Instance& instance) {
  if (selected_for_ != &cls) SelectProperties(cls);
  const size_t count = cls.properties.size();
  const std::vector<Property>& given = instance.properties;
  size_t matched = 0;
  for (size_t i = 0; i < count; ++i)
    matched += places_[i] < given.size() && given[places_[i]].name == cls.properties[i]->name;
  // Otherwise every property of the instance has been found where the one before had it.
  if (matched != given.size()) {
    CimStatus placed = Place(cls, instance);
    if (!placed.ok()) return placed;
  }
  values_.assign(count, nullptr);
  if (!converted_.empty()) converted_.clear();
  for (size_t i = 0; i < count; ++i) {
    if (!selected_.empty() && !selected_[i]) continue;
    const PropertyDecl& p = *cls.properties[i];
    if (places_[i] >= given.size()) {
      values_[i] = &p.default_value;
      continue;
    }
    const Value& value = given[places_[i]].value;
    values_[i] = &value;
    if (value.type() == p.type && value.is_array() == p.array) continue;
    CimStatus converted = Convert(cls, i, value);
    if (!converted.ok()) return converted;
  }
  return {};
}

}  // namespace lockstep::wbem
