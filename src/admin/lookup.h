// From what people write to ids: a name, or an id as ToString writes it (an object whose name looks like the id of
// another is found by its id only). not-found names the kind and what was written.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/control.h"

namespace lockstep::admin {

Result<control::PoolView> FindPool(const control::Control& control, std::string_view text);
Result<control::VolumeView> FindVolume(const control::Control& control, std::string_view text);
Result<control::ExportView> FindExport(const control::Control& control, std::string_view text);
Result<catalog::GroupRecord> FindGroup(const control::Control& control, std::string_view text);
Result<catalog::AspectRecord> FindAspect(const control::Control& control, std::string_view text);
Result<catalog::JobRecord> FindJob(const control::Control& control, std::string_view text);
// A relationship by its id, a group relationship by its id or name, or the relationship that a volume is the target of,
// by the volume's name. invalid-argument when the text is the name of two of these.
Result<control::RelationshipRef> FindReplica(const control::Control& control, std::string_view text);
// Only a relationship between two volumes.
Result<catalog::RelationshipId> FindRelationship(const control::Control& control, std::string_view text);

// Of one that may be named.
Result<std::optional<catalog::VolumeId>> OptionalVolume(const control::Control& control,
                                                        const std::optional<std::string>& text);
Result<std::optional<catalog::GroupId>> OptionalGroup(const control::Control& control,
                                                      const std::optional<std::string>& text);

// All of them, in order; the first that is not found is the answer.
Result<std::vector<catalog::VolumeId>> FindVolumes(const control::Control& control,
                                                   const std::vector<std::string>& texts);

}  // namespace lockstep::admin
