// The tables of the catalog and how older files become new ones.
#pragma once

#include <string>

#include "base/status.h"

struct sqlite3;

namespace lockstep::catalog {

// "LSCT": says that an SQLite file is a catalog of ours.
inline constexpr int kApplicationId = 0x4c534354;

// CREATE TABLE for all tables of schema version 1.
std::string TablesVersion1();

// Brings an empty file or an older catalog to Catalog::kSchemaVersion in one transaction; nothing when it is there.
// corrupted: an SQLite file that is not ours. not-supported: written by a newer program.
Status Migrate(sqlite3* db);

}  // namespace lockstep::catalog
