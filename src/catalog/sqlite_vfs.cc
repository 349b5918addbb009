#include "catalog/sqlite_vfs.h"

#include <sqlite3.h>

#include <algorithm>
#include <cstring>
#include <new>

#include "base/assert.h"

namespace lockstep::catalog {
namespace {

io::FileSystem& Files(sqlite3_vfs* vfs) { return *static_cast<io::FileSystem*>(vfs->pAppData); }

std::string ParentOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

int ToSqlite(const Status& status, int otherwise) {
  if (status.ok()) return SQLITE_OK;
  return status.code() == Code::kNoSpace ? SQLITE_FULL : otherwise;
}

// SQLite allocates szOsFile bytes and lets xOpen construct the file in them; xClose ends its life. The base must be a
// standard-layout sqlite3_file that comes first.
struct OpenFile {
  sqlite3_file base;
  io::FileSystem* files;
  io::File* file;      // owned
  std::string* path;   // owned; of a file whose name is not yet durable, else null
};

OpenFile& Of(sqlite3_file* file) { return *reinterpret_cast<OpenFile*>(file); }

int Close(sqlite3_file* file) {
  delete Of(file).file;
  delete Of(file).path;
  return SQLITE_OK;
}

int Read(sqlite3_file* file, void* to, int length, sqlite3_int64 offset) {
  const std::span<std::byte> buffer(static_cast<std::byte*>(to), static_cast<size_t>(length));
  const Result<size_t> got = Of(file).file->Read(static_cast<uint64_t>(offset), buffer);
  if (!got.ok()) return SQLITE_IOERR_READ;
  if (*got == buffer.size()) return SQLITE_OK;
  // SQLite requires the rest of a short read to be zeroes.
  std::fill(buffer.begin() + static_cast<std::ptrdiff_t>(*got), buffer.end(), std::byte{0});
  return SQLITE_IOERR_SHORT_READ;
}

int Write(sqlite3_file* file, const void* from, int length, sqlite3_int64 offset) {
  const std::span<const std::byte> bytes(static_cast<const std::byte*>(from), static_cast<size_t>(length));
  return ToSqlite(Of(file).file->Write(static_cast<uint64_t>(offset), bytes), SQLITE_IOERR_WRITE);
}

int Truncate(sqlite3_file* file, sqlite3_int64 size) {
  return ToSqlite(Of(file).file->Truncate(static_cast<uint64_t>(size)), SQLITE_IOERR_TRUNCATE);
}

int Sync(sqlite3_file* file, int) {
  OpenFile& f = Of(file);
  if (const Status synced = f.file->Sync(); !synced.ok()) return ToSqlite(synced, SQLITE_IOERR_FSYNC);
  if (f.path == nullptr) return SQLITE_OK;
  if (!f.files->SyncDirectory(ParentOf(*f.path)).ok()) return SQLITE_IOERR_DIR_FSYNC;
  delete f.path;
  f.path = nullptr;
  return SQLITE_OK;
}

int FileSize(sqlite3_file* file, sqlite3_int64* size) {
  const Result<uint64_t> result = Of(file).file->Size();
  if (!result.ok()) return SQLITE_IOERR_FSTAT;
  *size = static_cast<sqlite3_int64>(*result);
  return SQLITE_OK;
}

int Lock(sqlite3_file*, int) { return SQLITE_OK; }
int Unlock(sqlite3_file*, int) { return SQLITE_OK; }
int CheckReservedLock(sqlite3_file*, int* reserved) {
  *reserved = 0;
  return SQLITE_OK;
}
int FileControl(sqlite3_file*, int, void*) { return SQLITE_NOTFOUND; }
// A write that fits a sector must not damage what lies next to it; the simulated and the real files tear at 4096.
int SectorSize(sqlite3_file*) { return 4096; }
int DeviceCharacteristics(sqlite3_file*) { return 0; }

constexpr sqlite3_io_methods kMethods = {
    1,        Close, Read, Write,  Truncate,          Sync,        FileSize,
    Lock,     Unlock, CheckReservedLock, FileControl, SectorSize, DeviceCharacteristics,
    nullptr,  nullptr, nullptr, nullptr, nullptr, nullptr};

int Open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  file->pMethods = nullptr;
  if (name == nullptr) return SQLITE_CANTOPEN;  // a temporary file: temp_store=MEMORY needs none
  io::FileSystem& files = Files(vfs);
  const std::string path = name;
  const bool existed = files.Stat(path).ok();
  using Mode = io::FileSystem::Mode;
  Mode mode = Mode::kRead;
  if ((flags & SQLITE_OPEN_READWRITE) != 0) mode = (flags & SQLITE_OPEN_CREATE) != 0 ? Mode::kCreate : Mode::kReadWrite;
  Result<std::unique_ptr<io::File>> opened = files.Open(path, mode);
  if (!opened.ok()) return ToSqlite(opened.status(), SQLITE_CANTOPEN);
  std::string* unsynced_name = existed ? nullptr : new std::string(path);
  new (file) OpenFile{{&kMethods}, &files, std::move(*opened).release(), unsynced_name};
  if (out_flags != nullptr) *out_flags = flags;
  return SQLITE_OK;
}

int Delete(sqlite3_vfs* vfs, const char* name, int sync_directory) {
  const Status removed = Files(vfs).Remove(name);
  if (removed.code() == Code::kNotFound) return SQLITE_IOERR_DELETE_NOENT;
  if (!removed.ok()) return SQLITE_IOERR_DELETE;
  if (sync_directory != 0 && !Files(vfs).SyncDirectory(ParentOf(name)).ok()) return SQLITE_IOERR_DIR_FSYNC;
  return SQLITE_OK;
}

int Access(sqlite3_vfs* vfs, const char* name, int flags, int* result) {
  const Result<io::FileInfo> info = Files(vfs).Stat(name);
  if (!info.ok() && info.status().code() != Code::kNotFound) return SQLITE_IOERR_ACCESS;
  // An empty file counts as absent, as in SQLite's own VFS: an empty journal holds nothing to roll back.
  *result = info.ok() && (flags != SQLITE_ACCESS_EXISTS || info->size > 0) ? 1 : 0;
  return SQLITE_OK;
}

int FullPathname(sqlite3_vfs*, const char* name, int size, char* out) {
  if (std::strlen(name) + 1 > static_cast<size_t>(size)) return SQLITE_CANTOPEN;
  std::strcpy(out, name);
  return SQLITE_OK;
}

// Feeds SQLite's generator: names of temporary files, which nothing here has, and the salt of a journal's checksums.
// That may repeat after a restart: a journal counts its pages only once they are synced, so none of an older one is
// taken.
int Randomness(sqlite3_vfs*, int size, char* out) {
  std::memset(out, 0, static_cast<size_t>(size));
  return size;
}
int Sleep(sqlite3_vfs*, int microseconds) { return microseconds; }
int CurrentTimeInt64(sqlite3_vfs*, sqlite3_int64* out) {
  *out = 0;  // no statement asks for the time
  return SQLITE_OK;
}
int CurrentTime(sqlite3_vfs*, double* out) {
  *out = 0;
  return SQLITE_OK;
}
int GetLastError(sqlite3_vfs*, int, char*) { return 0; }

}  // namespace

SqliteVfs::SqliteVfs(io::FileSystem& files) : files_(files), vfs_(std::make_unique<sqlite3_vfs>()) {
  // The address is unique among those that live, which is all that SQLite asks of a name.
  name_ = "lockstep-" + std::to_string(reinterpret_cast<uintptr_t>(this));
  *vfs_ = {};
  vfs_->iVersion = 2;
  vfs_->szOsFile = sizeof(OpenFile);
  vfs_->mxPathname = 4096;
  vfs_->zName = name_.c_str();
  vfs_->pAppData = &files_;
  vfs_->xOpen = Open;
  vfs_->xDelete = Delete;
  vfs_->xAccess = Access;
  vfs_->xFullPathname = FullPathname;
  vfs_->xRandomness = Randomness;
  vfs_->xSleep = Sleep;
  vfs_->xCurrentTime = CurrentTime;
  vfs_->xCurrentTimeInt64 = CurrentTimeInt64;
  vfs_->xGetLastError = GetLastError;
  LS_ASSERT(sqlite3_vfs_register(vfs_.get(), 0) == SQLITE_OK);
}

SqliteVfs::~SqliteVfs() { sqlite3_vfs_unregister(vfs_.get()); }

}  // namespace lockstep::catalog
