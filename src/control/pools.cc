// Pools that are made and deleted, and the devices that management clients may make them of.
//
// Both take several steps: devices are written one after the other, and the catalog is another file. So what is about
// to be done is written down first, as an intent that is about the pool itself (docs/decisions/005). What is durable
// when: making is undone by the next start until the commit that brings in the pool's record, which also takes away the
// intent; deleting is finished by the next start from the commit of its intent on. So after a crash a pool is there,
// whole, or it is not in the catalog and its devices are free.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "control/impl.h"
#include "control/rules.h"

namespace lockstep::control {

using catalog::Intent;
using catalog::JoinPaths;
using catalog::PoolRecord;

namespace {

Status CheckNewPool(const Directory& directory, const std::string& name, const std::vector<std::string>& paths) {
  LS_RETURN_IF_ERROR(CheckName("pool", name));
  if (directory.FindPool(name) != nullptr)
    return AlreadyExists(fmt::format("there is a pool named {} already; choose another name", name));
  for (const std::string& path : paths) {
    if (path.empty()) return InvalidArgument("the pool needs the path of a device or a file");
    if (path.find('\n') != std::string::npos) return InvalidArgument("a path cannot have line breaks");
    if (std::count(paths.begin(), paths.end(), path) != 1)
      return InvalidArgument(fmt::format("{} is named twice", path));
    for (const auto& [id, record] : directory.pools()) {
      const std::vector<std::string> taken = PathsOf(record);
      if (std::find(taken.begin(), taken.end(), path) != taken.end())
        return AlreadyExists(fmt::format("{} is the path of pool {} already", path, record.name));
    }
  }
  return Status::Ok();
}

// The pool that the intent makes: its record.
const PoolRecord* MadeBy(const Intent& intent) {
  if (intent.mutation.puts.size() != 1 || !intent.mutation.removes.empty()) return nullptr;
  const auto* record = std::get_if<PoolRecord>(&intent.mutation.puts.front());
  return record != nullptr && record->id == intent.pool ? record : nullptr;
}

bool Deletes(const Intent& intent) {
  return intent.mutation.puts.empty() && intent.mutation.removes == std::vector<catalog::RecordId>{intent.pool};
}

// "3 volumes (a and others)".
std::string Some(size_t count, const char* what, const std::string& first) {
  return fmt::format("{} {}{} ({}{})", count, what, count == 1 ? "" : "s", first, count == 1 ? "" : " and others");
}

}  // namespace

Status Control::Impl::Store(const catalog::Batch& batch) {
  const Status stored = catalog_->Commit(batch);
  if (!stored.ok() && stored.code() != Code::kNoSpace) Fail(stored);
  return stored;
}

Task<Result<PoolId>> Control::Impl::CreatePool(CreatePoolRequest request) {
  const auto guard = co_await changes_.Lock();
  LS_CO_RETURN_IF_ERROR(MayChange());
  co_return co_await MakePool(std::move(request));
}

Task<Result<PoolId>> Control::Impl::AddPool(std::string name, std::string path) {
  const auto guard = co_await changes_.Lock();
  LS_CO_RETURN_IF_ERROR(MayChange());
  LS_CO_RETURN_IF_ERROR(CheckNewPool(directory_, name, {path}));
  PoolPlace place;
  place.paths.push_back(path);
  Result<std::shared_ptr<block::Pool>> opened = co_await surroundings_.pools.Open(std::move(place));
  co_await surroundings_.control_loop.Switch();
  if (!opened.ok()) co_return opened.status().WithContext("pool " + name);
  PoolRecord record;
  record.id = (*opened)->id();
  record.name = name;
  record.path = path;
  record.created = surroundings_.clock.Wall();
  if (const PoolRecord* known = directory_.Find(record.id)) {
    co_await Drop(std::move(*opened));
    co_return AlreadyExists(fmt::format("{} holds pool {}, which is known already", path, known->name));
  }
  LS_CO_RETURN_IF_ERROR(co_await TakeInPool(record, std::move(*opened)));
  co_return record.id;
}

Task<Result<PoolId>> Control::Impl::MakePool(CreatePoolRequest request) {
  std::vector<std::string> paths = {request.path};
  paths.insert(paths.end(), request.more_paths.begin(), request.more_paths.end());
  LS_CO_RETURN_IF_ERROR(CheckNewPool(directory_, request.name, paths));
  PoolRecord record;
  record.id = PoolId{surroundings_.random.NextUuid()};
  record.name = request.name;
  record.path = JoinPaths(paths);
  record.size = request.size;
  record.created = surroundings_.clock.Wall();
  Intent intent;
  intent.transaction = block::TransactionId{surroundings_.random.NextUuid()};
  intent.pool = record.id;
  intent.mutation.puts.push_back(record);
  catalog::Batch begin, end;
  begin.add_intents.push_back(intent);
  end.remove_intents.push_back(intent.transaction);
  LS_CO_RETURN_IF_ERROR(Store(begin));
  Result<std::shared_ptr<block::Pool>> made = co_await PutTogether(record.id, paths, request.size);
  Status status = made.status().WithContext("pool " + request.name);
  if (made.ok()) {
    end.mutation = intent.mutation;
    status = Store(end);
  }
  if (status.ok()) {
    pools_[record.id] = {std::move(*made), Status::Ok(), {}, {}};
    co_await ReadUsage(record.id);
    Adopt(intent.mutation);
    co_return record.id;
  }
  if (made.ok()) co_await Drop(std::move(*made));
  if (!failed_.ok()) co_return status;  // the next start knows whether it is one
  const Status erased = co_await surroundings_.pools.Erase(record.id, paths);
  co_await surroundings_.control_loop.Switch();
  if (!erased.ok())
    surroundings_.log.Error("what was to be pool {} stays marked so: {}", record.name, erased.message());
  end.mutation = {};
  (void)Store(end);  // otherwise the next start does it again
  co_await FindFreeDevices();
  co_return status;
}

Task<Result<std::shared_ptr<block::Pool>>> Control::Impl::PutTogether(PoolId id, std::vector<std::string> paths,
                                                                      uint64_t size) {
  Result<std::shared_ptr<block::Pool>> made = co_await surroundings_.pools.Create(paths.front(), size, id);
  co_await surroundings_.control_loop.Switch();
  if (!made.ok()) co_return made.status();
  std::shared_ptr<block::Pool> pool = std::move(*made);
  Status status;
  for (size_t i = 1; i < paths.size() && status.ok(); ++i) {
    Result<std::unique_ptr<io::Disk>> disk = co_await surroundings_.pools.OpenDevice(paths[i], 0);
    co_await surroundings_.data_loop.Switch();
    status = disk.status();
    if (status.ok()) {
      const Result<block::DeviceId> added = co_await pool->AddDevice(std::move(*disk), paths[i]);
      status = added.status();
    }
    disk = Status(Code::kCancelled, "taken");  // closes it where it lives
    co_await surroundings_.control_loop.Switch();
  }
  if (status.ok()) co_return pool;
  co_await Drop(std::move(pool));
  co_return status;
}

Status Control::Impl::MayBeDeleted(const PoolRecord& pool) const {
  const auto drain = drains_.find(pool.id);
  for (const auto& [id, job] : directory_.jobs()) {
    if (!IsFinal(job.state) && (job.pool == pool.id || (drain != drains_.end() && drain->second.job == id)))
      return InUse(fmt::format("job {} works on pool {}; let it end, or cancel it", job.name, pool.name));
  }
  if (drain != drains_.end() || scrubs_.contains(pool.id))
    return InUse(fmt::format("a job works on pool {}; let it end, or cancel it", pool.name));
  std::vector<std::string> holds, volumes, exports, points;
  for (const auto& [id, record] : directory_.volumes()) {
    if (record.pool == pool.id) volumes.push_back(record.name);
  }
  for (const auto& [id, record] : directory_.exports()) {
    const catalog::VolumeRecord* volume = directory_.Find(record.volume);
    if (volume != nullptr && volume->pool == pool.id) exports.push_back(record.name);
  }
  for (const auto& [id, record] : directory_.points()) {
    if (record.pool != pool.id) continue;
    const auto& aspects = directory_.AspectsAt(id);
    const catalog::AspectRecord* aspect = aspects.empty() ? nullptr : directory_.Find(*aspects.begin());
    points.push_back(aspect == nullptr ? "of a relationship" : "of aspect " + aspect->name);
  }
  if (!exports.empty()) holds.push_back(Some(exports.size(), "export", exports.front()));
  if (!volumes.empty()) holds.push_back(Some(volumes.size(), "volume", volumes.front()));
  if (!points.empty()) holds.push_back(Some(points.size(), "point", points.front()));
  if (holds.empty()) return {};
  return InUse(fmt::format("pool {} has {}; delete them first", pool.name, fmt::join(holds, ", ")));
}

// Of volumes and points that the catalog does not know.
Task<Status> Control::Impl::HoldsNothing(std::shared_ptr<block::Pool> pool, std::string name) {
  co_await surroundings_.data_loop.Switch();
  const size_t volumes = pool->Volumes().size(), points = pool->Points().size();
  co_await surroundings_.control_loop.Switch();
  if (volumes + points == 0) co_return Status();
  co_return InUse(fmt::format("pool {} holds {} volumes and {} points that the catalog does not know: export it and "
                              "import it again to see and delete them",
                              name, volumes, points));
}

Task<Status> Control::Impl::DeletePool(PoolId id) {
  const auto guard = co_await changes_.Lock();
  LS_CO_RETURN_IF_ERROR(MayChange());
  const PoolRecord* found = directory_.Find(id);
  if (found == nullptr) co_return NotFound("a pool does not exist: " + id.ToString());
  const PoolRecord record = *found;
  LS_CO_RETURN_IF_ERROR(MayBeDeleted(record));
  if (!UsablePool(id).ok()) co_return co_await ForgetPool(record);
  LS_CO_RETURN_IF_ERROR(co_await HoldsNothing(pools_[id].pool, record.name));
  // A reader that holds the pool has its devices open.
  if (pools_[id].pool.use_count() > 1)
    co_return InUse(fmt::format("pool {} is being checked or counted; try again when that has ended", record.name));
  Intent intent;
  intent.transaction = block::TransactionId{surroundings_.random.NextUuid()};
  intent.pool = id;
  intent.mutation.removes.push_back(id);
  catalog::Batch begin, end;
  begin.add_intents.push_back(intent);
  LS_CO_RETURN_IF_ERROR(Store(begin));
  std::shared_ptr<block::Pool> pool = std::move(pools_[id].pool);
  co_await Drop(std::move(pool));
  const Status erased = co_await surroundings_.pools.Erase(id, PathsOf(record));
  co_await surroundings_.control_loop.Switch();
  if (!erased.ok())
    surroundings_.log.Error("pool {} is deleted, but something of it stays: {}", record.name, erased.message());
  end.mutation = intent.mutation;
  end.remove_intents.push_back(intent.transaction);
  const Status ended = catalog_->Commit(end);
  if (!ended.ok()) {
    Fail(ended);
    co_return ended.WithContext("the pool was deleted and that could not be recorded");
  }
  pools_.erase(id);
  Adopt(end.mutation);
  surroundings_.log.Info("pool {} has been deleted", record.name);
  co_await FindFreeDevices();
  co_return Status();
}

// One that is not open may hold what nobody can see, so its devices are left as they are.
Task<Status> Control::Impl::ForgetPool(PoolRecord record) {
  LS_CO_ASSIGN_OR_RETURN(const catalog::Contents contents, catalog_->Load());
  catalog::Batch batch;
  batch.mutation.removes.push_back(record.id);
  for (const Intent& intent : contents.intents) {
    if (intent.pool == record.id) batch.remove_intents.push_back(intent.transaction);
  }
  LS_CO_RETURN_IF_ERROR(Store(batch));
  std::shared_ptr<block::Pool> failed = std::move(pools_[record.id].pool);
  pools_.erase(record.id);
  Adopt(batch.mutation);
  co_await Drop(std::move(failed));
  surroundings_.log.Warn("pool {} was not usable and is forgotten; its devices hold what they held: {}", record.name,
                         fmt::join(PathsOf(record), ", "));
  co_return Status();
}

Task<Result<std::vector<Intent>>> Control::Impl::SettlePools(std::vector<Intent> intents) {
  std::vector<Intent> others;
  for (Intent& intent : intents) {
    const bool goes = Deletes(intent);
    const PoolRecord* record = goes ? directory_.Find(intent.pool) : MadeBy(intent);
    if (!goes && record == nullptr) {
      others.push_back(std::move(intent));
      continue;
    }
    const std::string name = record == nullptr ? intent.pool.ToString() : record->name;
    if (record != nullptr) {
      const Status erased = co_await surroundings_.pools.Erase(intent.pool, PathsOf(*record));
      co_await surroundings_.control_loop.Switch();
      if (!erased.ok()) surroundings_.log.Error("something of pool {} stays: {}", name, erased.message());
    }
    catalog::Batch batch;
    batch.remove_intents.push_back(intent.transaction);
    if (goes) batch.mutation = intent.mutation;
    LS_CO_RETURN_IF_ERROR(catalog_->Commit(batch));
    Adopt(batch.mutation);
    surroundings_.log.Info("pool {} was being {} when Lockstep ended, and is gone", name, goes ? "deleted" : "made");
  }
  co_return others;
}

// ---- Devices that are offered.

Task<void> Control::Impl::LookForDevices() {
  const auto guard = co_await changes_.Lock();
  if (MayChange().ok()) co_await FindFreeDevices();
}

Task<void> Control::Impl::FindFreeDevices() {
  std::vector<FreeDevice> found;
  for (const std::string& path : surroundings_.devices) {
    if (OwnerOf(path) != nullptr) continue;
    const Result<uint64_t> room = co_await surroundings_.pools.RoomOn(path);
    co_await surroundings_.control_loop.Switch();
    if (room.ok()) found.push_back({path, *room});
    else surroundings_.log.Info("{} cannot become part of a pool: {}", path, room.status().message());
  }
  free_devices_ = std::move(found);
}

const PoolRecord* Control::Impl::OwnerOf(const std::string& path) const {
  for (const auto& [id, record] : directory_.pools()) {
    const std::vector<std::string> paths = PathsOf(record);
    if (std::find(paths.begin(), paths.end(), path) != paths.end()) return &record;
  }
  return nullptr;
}

std::vector<FreeDevice> Control::Impl::FreeDevices() const {
  std::vector<FreeDevice> free;
  for (const FreeDevice& device : free_devices_) {
    if (OwnerOf(device.path) == nullptr) free.push_back(device);
  }
  return free;
}

Status Control::Impl::OffersDevices() const {
  if (!surroundings_.devices.empty()) return {};
  return NotSupported("no devices are offered to management clients: list some as devices under [pools] in the "
                      "configuration of lockstepd");
}

Result<SizeRange> Control::Impl::SizesWith(std::optional<PoolId> pool, const std::vector<std::string>& devices) const {
  SizeRange sizes{1, 0};
  if (pool) {
    LS_RETURN_IF_ERROR(UsablePool(*pool).status());
    sizes.least = sizes.most = pools_.at(*pool).info.size;
  }
  const std::vector<FreeDevice> free = FreeDevices();
  for (const std::string& path : devices) {
    const auto found = std::find_if(free.begin(), free.end(), [&](const FreeDevice& d) { return d.path == path; });
    if (const PoolRecord* owner = OwnerOf(path))
      return InUse(fmt::format("{} is a part of pool {}", path, owner->name));
    if (found == free.end()) return InvalidArgument(fmt::format("{} is no device that is offered and free", path));
    if (std::count(devices.begin(), devices.end(), path) != 1)
      return InvalidArgument(fmt::format("{} is named twice", path));
    sizes.most += found->size;
  }
  return sizes;
}

Status Control::Impl::MayBeRenamed(const PoolRecord& pool, const std::string& name) const {
  LS_RETURN_IF_ERROR(CheckName("pool", name));
  if (directory_.FindPool(name) != nullptr)
    return AlreadyExists(fmt::format("there is a pool named {} already; choose another name", name));
  // Its job is found by the pool's name after a restart.
  if (drains_.contains(pool.id))
    return InUse(fmt::format("a device is being removed from pool {}; rename it when that has ended", pool.name));
  return {};
}

Task<Result<PoolId>> Control::Impl::ShapePool(ShapePoolRequest request) {
  const auto guard = co_await changes_.Lock();
  LS_CO_RETURN_IF_ERROR(MayChange());
  LS_CO_RETURN_IF_ERROR(OffersDevices());
  if (!request.pool && request.devices.empty())
    co_return InvalidArgument("a pool is made of devices: name at least one");
  LS_CO_ASSIGN_OR_RETURN(const SizeRange sizes, SizesWith(request.pool, request.devices));
  if (request.size && (*request.size < sizes.least || *request.size > sizes.most))
    co_return Status(Code::kTooLarge, fmt::format("the pool can have {} to {} bytes", sizes.least, sizes.most));
  if (!request.pool) {
    CreatePoolRequest create;
    create.name = request.name;
    for (uint64_t n = 1; create.name.empty(); ++n) {
      const std::string name = fmt::format("pool_{}", n);
      if (directory_.FindPool(name) == nullptr) create.name = name;
    }
    create.path = request.devices.front();
    create.more_paths.assign(request.devices.begin() + 1, request.devices.end());
    co_return co_await MakePool(std::move(create));
  }
  const PoolId id = *request.pool;
  const bool rename = !request.name.empty() && request.name != directory_.Find(id)->name;
  if (rename) LS_CO_RETURN_IF_ERROR(MayBeRenamed(*directory_.Find(id), request.name));
  if (!rename && request.devices.empty()) co_return InvalidArgument("name devices to add, or a new name");
  for (const std::string& device : request.devices) {
    const Result<block::DeviceId> joined = co_await JoinDevice(id, device, 0);
    if (!joined.ok()) co_return joined.status();
  }
  if (rename) {
    Draft draft = NewDraft();
    PoolRecord renamed = *directory_.Find(id);
    renamed.name = request.name;
    draft.Put(std::move(renamed));
    LS_CO_RETURN_IF_ERROR(co_await Carry(draft));
  }
  co_return id;
}

}  // namespace lockstep::control
