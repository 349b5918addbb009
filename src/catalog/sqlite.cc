#include "catalog/sqlite.h"

namespace lockstep::catalog {

Status ErrorOf(sqlite3* db, std::string_view what) {
  const std::string message = std::string(what) + ": " + sqlite3_errmsg(db);
  switch (sqlite3_errcode(db) & 0xff) {
    case SQLITE_FULL:
      return NoSpace(message + "; make room on the file system that holds the catalog");
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_MISMATCH:
    case SQLITE_CONSTRAINT:
      return Corrupted(message +
                       "; restore the catalog file from a backup, or move it away and take the pools in again");
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return InUse(message);
    default:
      return IoError(message);
  }
}

Result<Statement> Statement::Prepare(sqlite3* db, const std::string& sql) {
  sqlite3_stmt* raw = nullptr;
  if (sqlite3_prepare_v3(db, sql.c_str(), -1, SQLITE_PREPARE_PERSISTENT, &raw, nullptr) != SQLITE_OK) {
    return ErrorOf(db, "catalog");
  }
  Statement statement;
  statement.statement_.reset(raw);
  return statement;
}

Result<bool> Statement::Step() {
  const int code = sqlite3_step(get());
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) {
    sqlite3_reset(get());
    return false;
  }
  const Status error = ErrorOf(sqlite3_db_handle(get()), "catalog");
  sqlite3_reset(get());
  return error;
}

Status Statement::Run() {
  while (true) {
    LS_ASSIGN_OR_RETURN(const bool more, Step());
    if (!more) return Status::Ok();
  }
}

std::string_view Statement::Bytes(int column) {
  const void* data = sqlite3_column_blob(get(), column);
  const int size = sqlite3_column_bytes(get(), column);
  if (data == nullptr) return {};
  return {static_cast<const char*>(data), static_cast<size_t>(size)};
}

Status Execute(sqlite3* db, const std::string& sql) {
  if (sqlite3_exec(db, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) return ErrorOf(db, "catalog");
  return Status::Ok();
}

Result<int64_t> QueryInteger(sqlite3* db, const std::string& sql) {
  LS_ASSIGN_OR_RETURN(Statement statement, Statement::Prepare(db, sql));
  LS_ASSIGN_OR_RETURN(const bool found, statement.Step());
  return found ? statement.Integer(0) : 0;
}

Result<std::string> QueryText(sqlite3* db, const std::string& sql) {
  LS_ASSIGN_OR_RETURN(Statement statement, Statement::Prepare(db, sql));
  LS_ASSIGN_OR_RETURN(const bool found, statement.Step());
  return found ? std::string(statement.Bytes(0)) : std::string();
}

}  // namespace lockstep::catalog
