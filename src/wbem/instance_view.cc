#include "wbem/instance_view.h"

#include <algorithm>

#include <fmt/format.h>

namespace lockstep::wbem {

ObjectPath PathOf(const RequestContext& context, const ClassDecl& cls, Instance& instance) {
  ObjectPath path = instance.path.empty() ? MakePath(cls, context.ns, instance) : std::move(instance.path);
  if (path.ns.empty()) path.ns = context.ns;
  return path;
}

CimStatus InstanceDelivery::Put(const RequestContext& context, Instance instance, Reply& reply) {
  const ClassDecl* cls = context.cls;
  if (!NameEquals(instance.class_name, cls->name)) cls = schema_.Find(context.ns, instance.class_name);
  if (!cls)
    return {CimCode::kFailed, fmt::format("the provider of {} gave an instance of the undeclared class '{}'",
                                          context.cls->name, instance.class_name)};
  CimStatus aligned = Align(*cls, instance);
  if (!aligned.ok()) return aligned;
  const ObjectPath path = PathOf(context, *cls, instance);
  reply.PutInstance({*cls, path, values_});
  return {};
}

void InstanceDelivery::SelectProperties(const ClassDecl& cls) {
  selected_for_ = &cls;
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

CimStatus InstanceDelivery::Align(const ClassDecl& cls, const Instance& instance) {
  if (selected_for_ != &cls) SelectProperties(cls);
  values_.assign(cls.properties.size(), nullptr);
  converted_.clear();
  size_t declared = 0;
  for (size_t i = 0; i < values_.size(); ++i) {
    if (!selected_.empty() && !selected_[i]) continue;
    const PropertyDecl& p = *cls.properties[i];
    const Value* value = instance.Find(p.name);
    if (!value) {
      values_[i] = &p.default_value;
      continue;
    }
    ++declared;
    if (value->type() != p.type || value->is_array() != p.array) {
      Result<Value> converted = value->ConvertTo(p.type, p.array);
      if (!converted.ok())
        return {CimCode::kFailed, fmt::format("the provider of {} gave a wrong {}: {}", cls.name, p.name,
                                              converted.status().message())};
      value = &converted_.emplace_back(*std::move(converted));
    }
    values_[i] = value;
  }
  if (!selected_.empty() || declared == instance.properties.size()) return {};
  for (const Property& p : instance.properties)
    if (!cls.FindProperty(p.name))
      return {CimCode::kFailed, fmt::format("the provider of {} gave the undeclared property '{}'", cls.name, p.name)};
  return {CimCode::kFailed, fmt::format("the provider of {} gave a property twice", cls.name)};
}

}  // namespace lockstep::wbem
