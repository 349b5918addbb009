#include "control/rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "replication/capabilities.h"

namespace lockstep::control {
namespace {

using catalog::CopyState;
using replication::CreateSpec;
using replication::PairSpec;

// Well-formed UTF-8 (RFC 3629) without surrogates and overlong forms.
bool IsUtf8(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    const unsigned char lead = static_cast<unsigned char>(text[i]);
    const size_t length = lead < 0x80 ? 1 : lead >> 5 == 0x6 ? 2 : lead >> 4 == 0xe ? 3 : lead >> 3 == 0x1e ? 4 : 0;
    if (length == 0 || i + length > text.size()) return false;
    uint32_t point = length == 1 ? lead : lead & (0x7fu >> length);
    for (size_t k = 1; k < length; ++k) {
      const unsigned char next = static_cast<unsigned char>(text[i + k]);
      if ((next & 0xc0) != 0x80) return false;
      point = point << 6 | (next & 0x3fu);
    }
    constexpr uint32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
    if (point < kSmallest[length] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) return false;
    i += length;
  }
  return true;
}

}  // namespace

Status CheckName(std::string_view kind, std::string_view name) {
  if (name.empty()) return InvalidArgument(fmt::format("the name of a {} must not be empty", kind));
  if (name.size() > catalog::kMaxNameLength) {
    return InvalidArgument(fmt::format("the name of the {} has {} bytes; at most {}", kind, name.size(),
                                       catalog::kMaxNameLength));
  }
  const bool control = std::any_of(name.begin(), name.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
  });
  if (control || !IsUtf8(name)) {
    return InvalidArgument(fmt::format("the name of the {} has control characters or is not UTF-8", kind));
  }
  return Status::Ok();
}

Result<CreateSpec> ResolveOptions(const ReplicaOptions& options) {
  LS_ASSIGN_OR_RETURN(const replication::ReplicationType type,
                      replication::ToReplicationType(options.sync_type, options.mode, false));
  LS_RETURN_IF_ERROR(replication::CheckSettings(options.settings));
  if (options.has_collections) return NotSupported("Collections are not supported; leave them out");
  CreateSpec spec;
  LS_ASSIGN_OR_RETURN(const replication::SyncTypeAndMode what, replication::FromReplicationType(type));
  spec.sync_type = what.sync_type;
  spec.mode = what.mode;
  const CopyState wait = options.wait_for_copy_state.value_or(CopyState::kNotApplicable);
  const replication::CreationRow* row = replication::FindCreation(spec.sync_type, wait);
  if (row == nullptr || options.wait_for_copy_state == CopyState::kNotApplicable) {
    return InvalidArgument(fmt::format("WaitForCopyState {} cannot be waited for when a {} is made",
                                       static_cast<uint16_t>(wait), catalog::Name(spec.sync_type)));
  }
  spec.row = *row;
  spec.full_copy = options.settings.desired_copy_methodology == catalog::CopyMethodology::kFullCopy;
  spec.priority = options.settings.copy_priority.value_or(catalog::CopyPriority::kSame);
  spec.read_only = options.settings.read_only.value_or(catalog::ReadOnlyEnd::kNeither);
  return spec;
}

Status CheckTargets(const catalog::Directory& directory, const ReplicaOptions& options, bool targets_supplied,
                    const std::vector<VolumeId>& sources) {
  if (targets_supplied) {
    if (options.has_target_setting_goal || options.target_pool) {
      return InvalidArgument("targets are supplied, so TargetSettingGoal and TargetPool must be left out");
    }
    return Status::Ok();
  }
  const uint16_t supplier = options.settings.target_element_supplier.value_or(4);
  if (supplier == 5) return InvalidArgument("TargetElementSupplier is 5 (Client must supply): name the targets");
  if (!options.target_pool) return Status::Ok();
  if (directory.Find(*options.target_pool) == nullptr) return NotFound("TargetPool does not exist");
  for (const VolumeId& source : sources) {
    const catalog::VolumeRecord* volume = directory.Find(source);
    if (volume != nullptr && volume->pool != *options.target_pool) {
      return NotSupported(fmt::format("{} is in another pool; in this release a target is made in its source's pool, "
                                      "so leave TargetPool out", volume->name));
    }
  }
  return Status::Ok();
}

Result<bool> ResolveConsistency(std::optional<uint16_t> consistency) {
  const uint16_t value = consistency.value_or(2);
  if (value == 2 || value == 3) return value == 3;
  return InvalidArgument(fmt::format("Consistency is {}; 2 is No Consistency, 3 Sequential Consistency", value));
}

Status CheckElements(const catalog::Directory& directory, std::string_view what, const std::vector<VolumeId>& volumes) {
  std::set<VolumeId> seen;
  for (const VolumeId& id : volumes) {
    const catalog::VolumeRecord* volume = directory.Find(id);
    if (volume == nullptr) return InvalidArgument(fmt::format("{}: a volume does not exist: {}", what, id.ToString()));
    if (!seen.insert(id).second) return InvalidArgument(fmt::format("{}: {} is named twice", what, volume->name));
  }
  return Status::Ok();
}

Result<std::vector<PairSpec>> PairUp(const std::vector<VolumeId>& sources, const std::vector<VolumeId>& targets,
                                     std::optional<uint16_t> unequal_action, bool one_to_many) {
  std::vector<PairSpec> pairs;
  if (one_to_many && sources.size() == 1) {
    for (const VolumeId& target : targets) pairs.push_back({sources.front(), target});
    return pairs;
  }
  const uint16_t action = unequal_action.value_or(2);
  const bool fits = sources.size() == targets.size() || (action == 3 && sources.size() > targets.size()) ||
                    (action == 4 && sources.size() < targets.size());
  if (!fits) {
    return InvalidArgument(fmt::format("{} sources and {} targets cannot be paired; supply as many targets as sources, "
                                       "or say which may be more (UnequalGroupsAction, UnequalListsAction)",
                                       sources.size(), targets.size()));
  }
  for (size_t i = 0; i < std::min(sources.size(), targets.size()); ++i) pairs.push_back({sources[i], targets[i]});
  return pairs;
}

Status CheckWait(catalog::SyncType type, catalog::Operation operation, std::optional<CopyState> wait) {
  if (!wait) return Status::Ok();
  const std::span<const CopyState> outcomes = replication::Outcomes(type, operation);
  if (std::find(outcomes.begin(), outcomes.end(), *wait) != outcomes.end()) return Status::Ok();
  return InvalidArgument(fmt::format("WaitForCopyState {} cannot be waited for: {} does not lead there",
                                     static_cast<uint16_t>(*wait), catalog::Name(operation)));
}

}  // namespace lockstep::control
