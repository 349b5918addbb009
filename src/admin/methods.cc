#include "admin/methods.h"

#include <algorithm>

namespace lockstep::admin {

namespace {

std::vector<std::span<const Method>> All() {
  return {NodeMethods(),          PoolMethods(),    VolumeMethods(), HistoryMethods(), GroupMethods(),
          ReplicaCreateMethods(), ReplicaMethods(), PointMethods(),  AspectMethods(),
          JobMethods(),           UserMethods()};
}

}  // namespace

const Method* FindMethod(std::string_view name) {
  for (const std::span<const Method> methods : All()) {
    for (const Method& method : methods) {
      if (method.name == name) return &method;
    }
  }
  return nullptr;
}

bool OnlyReads(std::string_view name) {
  static constexpr std::string_view kReads[] = {"list", "show", "watch", "check"};
  if (name.starts_with("node.")) return true;
  const std::string_view act = name.substr(std::min(name.find('.') + 1, name.size()));
  return std::find(std::begin(kReads), std::end(kReads), act) != std::end(kReads);
}

std::vector<std::string_view> MethodNames() {
  std::vector<std::string_view> names;
  for (const std::span<const Method> methods : All()) {
    for (const Method& method : methods) names.push_back(method.name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace lockstep::admin
