#include "catalog/schema.h"

#include <array>
#include <concepts>
#include <type_traits>

#include "catalog/fields.h"
#include "catalog/sqlite.h"

namespace lockstep::catalog {
namespace {

class ColumnLister {
 public:
  int version() const { return 1; }
  template <typename T>
  void operator()(const char* column, const T&) {
    if (!sql_.empty()) sql_ += ", ";
    sql_ += column;
    if constexpr (std::same_as<T, std::string>) {
      sql_ += " TEXT NOT NULL";
    } else if constexpr (std::is_integral_v<T> || std::is_enum_v<T> || std::same_as<T, WallTime>) {
      sql_ += " INTEGER NOT NULL";
    } else {
      sql_ += " BLOB NOT NULL";
    }
    if (std::string_view(column) == "id") sql_ += " PRIMARY KEY";
  }
  std::string sql_;
};

Status CreateTables(sqlite3* db) {
  LS_RETURN_IF_ERROR(Execute(db, TablesVersion1()));
  return Execute(db, "PRAGMA application_id = " + std::to_string(kApplicationId));
}

// Scrubs that are scheduled, and go on after a restart.
Status AddScrubs(sqlite3* db) {
  return Execute(db,
                 "ALTER TABLE pools ADD COLUMN last_scrub INTEGER NOT NULL DEFAULT 0;"
                 "ALTER TABLE pools ADD COLUMN last_scrub_bad INTEGER NOT NULL DEFAULT 0;"
                 "ALTER TABLE pools ADD COLUMN scrub_begun INTEGER NOT NULL DEFAULT 0;"
                 "ALTER TABLE pools ADD COLUMN last_bad_at INTEGER NOT NULL DEFAULT 0;"
                 "ALTER TABLE pools ADD COLUMN last_bad TEXT NOT NULL DEFAULT '';"
                 "ALTER TABLE jobs ADD COLUMN pool BLOB NOT NULL DEFAULT x'00000000000000000000000000000000';"
                 "ALTER TABLE jobs ADD COLUMN position INTEGER NOT NULL DEFAULT 0;"
                 "ALTER TABLE jobs ADD COLUMN bad INTEGER NOT NULL DEFAULT 0;"
                 "ALTER TABLE jobs ADD COLUMN bytes_per_second INTEGER NOT NULL DEFAULT 0");
}

// Step i makes version i + 1 out of version i. Steps of released versions are never changed.
using MigrationStep = Status (*)(sqlite3* db);
constexpr std::array<MigrationStep, Catalog::kSchemaVersion> kSteps = {CreateTables, AddScrubs};

Status RunSteps(sqlite3* db, int64_t from) {
  for (size_t step = static_cast<size_t>(from); step < kSteps.size(); ++step) LS_RETURN_IF_ERROR(kSteps[step](db));
  LS_RETURN_IF_ERROR(Execute(db, "PRAGMA user_version = " + std::to_string(Catalog::kSchemaVersion)));
  return Execute(db, "COMMIT");
}

}  // namespace

std::string TablesVersion1() {
  std::string sql;
  ForEachKind([&](auto kind) {
    ColumnLister columns;
    const std::variant_alternative_t<kind, Record> record;
    VisitFields(columns, record);
    sql += std::string("CREATE TABLE ") + kTables[kind] + " (" + columns.sql_ + ") STRICT, WITHOUT ROWID;\n";
  });
  // `sequence` keeps intents in the order in which they were written down.
  sql +=
      "CREATE TABLE intents (sequence INTEGER PRIMARY KEY AUTOINCREMENT, transaction_id BLOB NOT NULL UNIQUE, "
      "pool BLOB NOT NULL, volumes BLOB NOT NULL, points BLOB NOT NULL, mutation BLOB NOT NULL) STRICT;\n";
  return sql;
}

Status Migrate(sqlite3* db) {
  LS_ASSIGN_OR_RETURN(const int64_t version, QueryInteger(db, "PRAGMA user_version"));
  LS_ASSIGN_OR_RETURN(const int64_t application, QueryInteger(db, "PRAGMA application_id"));
  LS_ASSIGN_OR_RETURN(const int64_t tables, QueryInteger(db, "SELECT count(*) FROM sqlite_schema"));
  const bool fresh = version == 0 && application == 0 && tables == 0;
  if (!fresh && (application != kApplicationId || version < 1)) {
    return Corrupted(
        "the file is an SQLite database but not a Lockstep catalog; name another file in the configuration");
  }
  if (version > Catalog::kSchemaVersion) {
    return NotSupported("the catalog was written by a newer Lockstep (schema version " + std::to_string(version) +
                        ", this program knows up to " + std::to_string(Catalog::kSchemaVersion) +
                        "); start the newer program");
  }
  if (version == Catalog::kSchemaVersion) return Status::Ok();
  LS_RETURN_IF_ERROR(Execute(db, "BEGIN IMMEDIATE"));
  const Status migrated = RunSteps(db, version);
  if (!migrated.ok()) (void)Execute(db, "ROLLBACK");
  return migrated;
}

}  // namespace lockstep::catalog
