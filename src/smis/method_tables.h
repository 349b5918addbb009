// The methods that each class has built; each table stands in the file of its class.
#pragma once

#include <span>

#include "smis/methods.h"

namespace lockstep::smis {

std::span<const Method> ReplicationServiceMethods();
std::span<const Method> ReplicationCapabilitiesMethods();
std::span<const Method> StorageServiceMethods();
std::span<const Method> PoolMethods();
std::span<const Method> JobMethods();

}  // namespace lockstep::smis
