// A mutation as bytes, for the intents that hold it, and id lists as bytes, for columns.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "catalog/catalog.h"

namespace lockstep::catalog {

// Little-endian, one version byte first.
std::string EncodeMutation(const Mutation& mutation);
// corrupted for anything that EncodeMutation, of this version or an earlier one, does not write.
Result<Mutation> DecodeMutation(std::string_view bytes);

// 16 bytes each, nothing else.
template <typename Tag>
std::string EncodeIds(const std::vector<Id<Tag>>& ids) {
  std::string out;
  out.reserve(ids.size() * 16);
  for (const Id<Tag>& id : ids) out.append(reinterpret_cast<const char*>(id.uuid.bytes.data()), id.uuid.bytes.size());
  return out;
}
// False when the length is not a multiple of 16.
template <typename Tag>
bool DecodeIds(std::string_view bytes, std::vector<Id<Tag>>& ids) {
  if (bytes.size() % 16 != 0) return false;
  ids.resize(bytes.size() / 16);
  for (size_t i = 0; i < ids.size(); ++i) bytes.copy(reinterpret_cast<char*>(ids[i].uuid.bytes.data()), 16, i * 16);
  return true;
}

}  // namespace lockstep::catalog
