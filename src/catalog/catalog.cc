#include "catalog/catalog.h"

#include <array>
#include <limits>
#include <optional>
#include <utility>

#include "catalog/encoding.h"
#include "catalog/fields.h"
#include "catalog/schema.h"
#include "catalog/sqlite.h"
#include "catalog/sqlite_vfs.h"

namespace lockstep::catalog {
namespace {

class FieldBinder {
 public:
  explicit FieldBinder(Statement& statement) : statement_(statement) {}
  template <typename Tag>
  void operator()(const char*, const Id<Tag>& id) {
    statement_.BindBlob(++index_, {reinterpret_cast<const char*>(id.uuid.bytes.data()), id.uuid.bytes.size()});
  }
  void operator()(const char*, const std::string& text) { statement_.BindText(++index_, text); }
  void operator()(const char*, const WallTime& time) { statement_.BindInteger(++index_, time.us); }
  template <typename T>
    requires std::is_integral_v<T> || std::is_enum_v<T>
  void operator()(const char*, T number) { statement_.BindInteger(++index_, static_cast<int64_t>(number)); }
  template <typename Tag>
  void operator()(const char*, const std::vector<Id<Tag>>& ids) { statement_.BindBlob(++index_, EncodeIds(ids)); }

 private:
  Statement& statement_;
  int index_ = 0;
};

// Reads a row into a record; ok() is false when a value does not fit its field.
class FieldLoader {
 public:
  explicit FieldLoader(Statement& statement) : statement_(statement) {}
  bool ok() const { return ok_; }

  template <typename Tag>
  void operator()(const char*, Id<Tag>& id) {
    const std::string_view bytes = statement_.Bytes(index_++);
    if (bytes.size() != id.uuid.bytes.size()) {
      ok_ = false;
      return;
    }
    bytes.copy(reinterpret_cast<char*>(id.uuid.bytes.data()), bytes.size());
  }
  void operator()(const char*, std::string& text) { text = statement_.Bytes(index_++); }
  void operator()(const char*, WallTime& time) { time.us = statement_.Integer(index_++); }
  void operator()(const char*, uint64_t& number) { number = static_cast<uint64_t>(statement_.Integer(index_++)); }
  void operator()(const char*, uint16_t& number) { number = Narrow<uint16_t>(); }
  void operator()(const char*, bool& flag) {
    const int64_t value = statement_.Integer(index_++);
    ok_ = ok_ && (value == 0 || value == 1);
    flag = value != 0;
  }
  template <typename E>
    requires std::is_enum_v<E>
  void operator()(const char*, E& value) { value = static_cast<E>(Narrow<std::underlying_type_t<E>>()); }
  template <typename Tag>
  void operator()(const char*, std::vector<Id<Tag>>& ids) {
    if (!DecodeIds(statement_.Bytes(index_++), ids)) ok_ = false;
  }

 private:
  template <typename T>
  T Narrow() {
    const int64_t value = statement_.Integer(index_++);
    if (value < 0 || value > static_cast<int64_t>(std::numeric_limits<T>::max())) ok_ = false;
    return static_cast<T>(value);
  }
  Statement& statement_;
  int index_ = 0;
  bool ok_ = true;
};

// The names and the question marks of a table's columns.
class ColumnNames {
 public:
  template <typename T>
  void operator()(const char* column, const T&) {
    names_ += names_.empty() ? column : std::string(", ") + column;
    marks_ += marks_.empty() ? "?" : ", ?";
  }
  std::string names_, marks_;
};

std::vector<PoolRecord>& RowsOf(Contents& c, PoolRecord*) { return c.pools; }
std::vector<VolumeRecord>& RowsOf(Contents& c, VolumeRecord*) { return c.volumes; }
std::vector<GroupRecord>& RowsOf(Contents& c, GroupRecord*) { return c.groups; }
std::vector<PointRecord>& RowsOf(Contents& c, PointRecord*) { return c.points; }
std::vector<RelationshipRecord>& RowsOf(Contents& c, RelationshipRecord*) { return c.relationships; }
std::vector<GroupRelationshipRecord>& RowsOf(Contents& c, GroupRelationshipRecord*) { return c.group_relationships; }
std::vector<AspectRecord>& RowsOf(Contents& c, AspectRecord*) { return c.aspects; }
std::vector<JobRecord>& RowsOf(Contents& c, JobRecord*) { return c.jobs; }
std::vector<ExportRecord>& RowsOf(Contents& c, ExportRecord*) { return c.exports; }

template <typename Tag>
std::string_view BytesOf(const Id<Tag>& id) {
  return {reinterpret_cast<const char*>(id.uuid.bytes.data()), id.uuid.bytes.size()};
}

class SqliteCatalog final : public Catalog {
 public:
  SqliteCatalog(io::FileSystem& files, std::string path) : path_(std::move(path)), vfs_(files) {}

  Status Start(io::FileSystem& files);
  Result<Contents> Load() override;
  Status Commit(const Batch& batch) override;

 private:
  Status PrepareStatements();
  template <typename R>
  Status LoadTable(const char* table, std::vector<R>& rows);
  Status LoadIntents(std::vector<Intent>& intents);
  Status Apply(const Batch& batch);
  Status ApplyMutation(const Mutation& mutation);
  Status AddIntent(const Intent& intent);
  Status InFile(const Status& status) const { return status.WithContext("catalog " + path_); }

  const std::string path_;
  std::unique_ptr<io::File> lock_;
  SqliteVfs vfs_;
  // Statements end before the connection that they belong to.
  Database db_;
  std::array<Statement, std::variant_size_v<Record>> put_, remove_;
  Statement begin_, commit_, rollback_, add_intent_, remove_intent_;
  Status failed_;  // why no further commit is taken; OK while all is well
};

Status SqliteCatalog::Start(io::FileSystem& files) {
  Result<std::unique_ptr<io::File>> lock = files.Lock(path_ + ".lock");
  if (!lock.ok()) return InFile(lock.status());
  lock_ = std::move(*lock);
  sqlite3* raw = nullptr;
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
  const int opened = sqlite3_open_v2(path_.c_str(), &raw, flags, vfs_.name().c_str());
  db_.reset(raw);
  if (opened != SQLITE_OK) return ErrorOf(raw, "catalog " + path_ + ": cannot be opened");
  // PERSIST with FULL: a commit is over when the journal's header, 28 bytes, is zeroed and that is synced. Not
  // TRUNCATE: of a cut that was not synced yet, io/files.h lets a power failure keep a part, and SQLite would take the
  // rest of the journal for a whole one. Exclusive, no shared memory, no mapping: every byte passes through the seam.
  LS_RETURN_IF_ERROR(InFile(Execute(db_.get(),
                                    "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = PERSIST;"
                                    "PRAGMA synchronous = FULL; PRAGMA temp_store = MEMORY; PRAGMA mmap_size = 0;"
                                    "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON")));
  LS_RETURN_IF_ERROR(InFile(Migrate(db_.get())));
  Result<std::string> check = QueryText(db_.get(), "PRAGMA quick_check(1)");
  if (!check.ok()) return InFile(check.status());
  if (*check != "ok") {
    return InFile(Corrupted("damaged (" + *check +
                            "); restore the file from a backup, or move it away and take the pools in again"));
  }
  return InFile(PrepareStatements());
}

Status SqliteCatalog::PrepareStatements() {
  Status status;
  const auto prepare = [&](Statement& to, const std::string& sql) {
    if (!status.ok()) return;
    Result<Statement> made = Statement::Prepare(db_.get(), sql);
    status = made.status();
    if (made.ok()) to = std::move(*made);
  };
  ForEachKind([&](auto kind) {
    ColumnNames columns;
    const std::variant_alternative_t<kind, Record> record;
    VisitFields(columns, record);
    const std::string table = kTables[kind];
    const std::string values = " (" + columns.names_ + ") VALUES (" + columns.marks_ + ")";
    prepare(put_[kind], "INSERT OR REPLACE INTO " + table + values);
    prepare(remove_[kind], "DELETE FROM " + table + " WHERE id = ?");
  });
  prepare(begin_, "BEGIN IMMEDIATE");
  prepare(commit_, "COMMIT");
  prepare(rollback_, "ROLLBACK");
  prepare(add_intent_, "INSERT INTO intents (transaction_id, pool, volumes, points, mutation) VALUES (?, ?, ?, ?, ?)");
  prepare(remove_intent_, "DELETE FROM intents WHERE transaction_id = ?");
  return status;
}

template <typename R>
Status SqliteCatalog::LoadTable(const char* table, std::vector<R>& rows) {
  ColumnNames columns;
  VisitFields(columns, std::as_const(*std::make_unique<R>()));
  const std::string sql = "SELECT " + columns.names_ + " FROM " + table + " ORDER BY id";
  LS_ASSIGN_OR_RETURN(Statement select, Statement::Prepare(db_.get(), sql));
  while (true) {
    LS_ASSIGN_OR_RETURN(const bool more, select.Step());
    if (!more) return Status::Ok();
    FieldLoader loader(select);
    R& row = rows.emplace_back();
    VisitFields(loader, row);
    if (!loader.ok()) {
      return Corrupted(std::string("table ") + table +
                       " holds a value that makes no sense; restore the file from a backup");
    }
  }
}

Status SqliteCatalog::LoadIntents(std::vector<Intent>& intents) {
  LS_ASSIGN_OR_RETURN(Statement select,
                      Statement::Prepare(db_.get(), "SELECT transaction_id, pool, volumes, points, mutation "
                                                    "FROM intents ORDER BY sequence"));
  while (true) {
    LS_ASSIGN_OR_RETURN(const bool more, select.Step());
    if (!more) return Status::Ok();
    Intent& intent = intents.emplace_back();
    FieldLoader loader(select);
    loader("", intent.transaction), loader("", intent.pool), loader("", intent.volumes), loader("", intent.points);
    if (!loader.ok()) return Corrupted("an intent makes no sense; restore the file from a backup");
    LS_ASSIGN_OR_RETURN(intent.mutation, DecodeMutation(select.Bytes(4)));
  }
}

Result<Contents> SqliteCatalog::Load() {
  Contents contents;
  Status status;
  ForEachKind([&](auto kind) {
    using R = std::variant_alternative_t<kind, Record>;
    if (status.ok()) status = LoadTable(kTables[kind], RowsOf(contents, static_cast<R*>(nullptr)));
  });
  if (status.ok()) status = LoadIntents(contents.intents);
  if (!status.ok()) return InFile(status);
  return contents;
}

Status SqliteCatalog::ApplyMutation(const Mutation& mutation) {
  for (const RecordId& id : mutation.removes) {
    Statement& remove = remove_[id.index()];
    remove.BindBlob(1, std::visit([](const auto& typed) { return BytesOf(typed); }, id));
    LS_RETURN_IF_ERROR(remove.Run());
  }
  for (const Record& record : mutation.puts) {
    Statement& put = put_[record.index()];
    std::visit([&](const auto& typed) { VisitFields(FieldBinder(put), typed); }, record);
    LS_RETURN_IF_ERROR(put.Run());
  }
  return Status::Ok();
}

Status SqliteCatalog::AddIntent(const Intent& intent) {
  add_intent_.BindBlob(1, BytesOf(intent.transaction));
  add_intent_.BindBlob(2, BytesOf(intent.pool));
  add_intent_.BindBlob(3, EncodeIds(intent.volumes));
  add_intent_.BindBlob(4, EncodeIds(intent.points));
  add_intent_.BindBlob(5, EncodeMutation(intent.mutation));
  return add_intent_.Run();
}

Status SqliteCatalog::Apply(const Batch& batch) {
  LS_RETURN_IF_ERROR(begin_.Run());
  LS_RETURN_IF_ERROR(ApplyMutation(batch.mutation));
  for (const Intent& intent : batch.add_intents) LS_RETURN_IF_ERROR(AddIntent(intent));
  for (const TransactionId& id : batch.remove_intents) {
    remove_intent_.BindBlob(1, BytesOf(id));
    LS_RETURN_IF_ERROR(remove_intent_.Run());
  }
  return commit_.Run();
}

Status SqliteCatalog::Commit(const Batch& batch) {
  if (!failed_.ok()) return failed_;
  const Status applied = Apply(batch);
  if (applied.ok()) return applied;
  const bool undone = sqlite3_get_autocommit(db_.get()) != 0 || rollback_.Run().ok();
  const Status error = InFile(applied);
  if (applied.code() != Code::kNoSpace || !undone) {
    failed_ = error.WithContext("the catalog takes no further changes until Lockstep is started again");
  }
  return error;
}

}  // namespace

Result<std::unique_ptr<Catalog>> Catalog::Open(io::FileSystem& files, std::string path, Log& log) {
  auto catalog = std::make_unique<SqliteCatalog>(files, std::move(path));
  if (const Status started = catalog->Start(files); !started.ok()) {
    log.Error("{}", started.message());
    return started;
  }
  return std::unique_ptr<Catalog>(std::move(catalog));
}

}  // namespace lockstep::catalog
