// The little of SQLite's C interface that the catalog uses, with errors as values and lifetimes as objects.
#pragma once

#include <sqlite3.h>

#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"

namespace lockstep::catalog {

struct CloseDatabase {
  void operator()(sqlite3* db) const { sqlite3_close_v2(db); }
};
struct FinalizeStatement {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using Database = std::unique_ptr<sqlite3, CloseDatabase>;

// What the connection's last error means to us: no-space, corrupted (with what to do about it), in-use, io-error.
// `what` names the act and the file.
Status ErrorOf(sqlite3* db, std::string_view what);

// A prepared statement. Parameters and columns count from 1 and 0, as in SQLite.
class Statement {
 public:
  Statement() = default;
  static Result<Statement> Prepare(sqlite3* db, const std::string& sql);

  void BindBlob(int index, std::string_view bytes) {
    sqlite3_bind_blob64(get(), index, bytes.empty() ? "" : bytes.data(), bytes.size(), SQLITE_TRANSIENT);
  }
  void BindText(int index, std::string_view text) {
    sqlite3_bind_text64(get(), index, text.empty() ? "" : text.data(), text.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
  }
  void BindInteger(int index, int64_t value) { sqlite3_bind_int64(get(), index, value); }

  // True while there is a row. After false or an error the statement is ready to be bound and run again.
  Result<bool> Step();
  // Runs to the end.
  Status Run();

  int64_t Integer(int column) { return sqlite3_column_int64(get(), column); }
  // Valid until the next Step.
  std::string_view Bytes(int column);

 private:
  sqlite3_stmt* get() { return statement_.get(); }
  std::unique_ptr<sqlite3_stmt, FinalizeStatement> statement_;
};

// Runs one or more statements that answer nothing.
Status Execute(sqlite3* db, const std::string& sql);
// Runs a statement that answers one integer or text.
Result<int64_t> QueryInteger(sqlite3* db, const std::string& sql);
Result<std::string> QueryText(sqlite3* db, const std::string& sql);

}  // namespace lockstep::catalog
