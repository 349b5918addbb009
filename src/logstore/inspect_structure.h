// What can be wrong with a pool's structure by itself, and with two that should be the same. For inspection.
#pragma once

#include <string>
#include <vector>

#include "logstore/structure.h"

namespace lockstep::logstore {

// Sentences. `next`: the structure is of the moment before this entry.
std::vector<std::string> ProblemsOf(const Structure& structure, SequenceNumber next);

// How `other` differs from `structure`; each sentence begins with `whose` the other is.
std::vector<std::string> DifferencesOf(const Structure& structure, const Structure& other, const std::string& whose);

}  // namespace lockstep::logstore
