#include "smis/indication_source.h"

#include <utility>

#include "smis/instances.h"
#include "smis/synchronized.h"

namespace lockstep::smis {

using catalog::Record;
using control::ChangeKind;
using wbem::Instance;
using wbem::Value;

namespace {

constexpr size_t kNotedMax = 50'000;  // changes that wait to be told
constexpr io::Duration kSlice = std::chrono::milliseconds(2);       // of the loop, for telling
constexpr io::Duration kBetweenLooks = std::chrono::seconds(1);
constexpr uint64_t kLooksPerRefresh = 5;  // reading the engines' counts is dearer than looking at what is here

constexpr const char* kIndicationClasses[] = {"CIM_InstCreation", "CIM_InstModification", "CIM_InstDeletion"};
constexpr const char* kAlertClass = "CIM_AlertIndication";

// The class that each kind of record is shown as; nullptr: none that is told of.
constexpr const char* kClassOf[] = {kPoolClass, kVolumeClass, kGroupClass, nullptr, kStorageSynchronizedClass,
                                    kGroupSynchronizedClass, nullptr, kJobClass, nullptr};
static_assert(std::size(kClassOf) == std::variant_size_v<Record>);
constexpr size_t kPool = 0, kVolume = 1, kRelationship = 4, kGroupRelationship = 5, kJob = 7;

size_t Index(ChangeKind kind) { return static_cast<size_t>(kind); }
const Record& RecordOf(const control::ChangeEvent& change) { return change.after ? *change.after : *change.before; }

// The properties that differ.
std::vector<std::string> Differing(const Instance& before, const Instance& after) {
  std::vector<std::string> names;
  for (const wbem::Property& p : after.properties) {
    const Value* was = before.Find(p.name);
    if (!was || !(*was == p.value)) names.push_back(p.name.str());
  }
  for (const wbem::Property& p : before.properties)
    if (!after.Find(p.name)) names.push_back(p.name.str());
  return names;
}

}  // namespace

const std::vector<wbem::FixedFilter>& FixedFilters() {
  static const auto* const kFilters = [] {
    auto* filters = new std::vector<wbem::FixedFilter>;
    const auto add = [filters](const std::string& name, const std::string& what, const std::string& query) {
      filters->push_back({"Lockstep:" + name, what, query});
    };
    const std::string from = "SELECT * FROM ", isa = " WHERE SourceInstance ISA ";
    const auto changes = [&](const std::string& cls, const std::string& property) {
      return from + "CIM_InstModification" + isa + cls + " AND SourceInstance." + cls + "::" + property +
             " <> PreviousInstance." + cls + "::" + property;
    };
    for (const char* cls : {"StorageSynchronized", "GroupSynchronized", "ReplicationGroup", "ConcreteJob",
                            "StorageVolume", "StoragePool"}) {
      const std::string name(cls), whole = "CIM_" + name;
      add(name + "Creation", "a " + whole + " has come into being", from + "CIM_InstCreation" + isa + whole);
      add(name + "Deletion", "a " + whole + " has gone", from + "CIM_InstDeletion" + isa + whole);
    }
    add("StorageSynchronizedCopyState", "a pair has another state", changes("CIM_StorageSynchronized", "CopyState"));
    add("GroupSynchronizedCopyState", "a pair of groups has another state",
        changes("CIM_GroupSynchronized", "CopyState"));
    add("JobState", "a job has another state", changes("CIM_ConcreteJob", "JobState"));
    add("JobPercentComplete", "a job has come further", changes("CIM_ConcreteJob", "PercentComplete"));
    const std::string any = " AND ANY SourceInstance.CIM_ConcreteJob::OperationalStatus[*] = ";
    const std::string ended = from + "CIM_InstModification" + isa + "CIM_ConcreteJob" + any + "17" + any;
    add("JobSucceeded", "a job has ended well", ended + "2");
    add("JobFailed", "a job has failed", ended + "6");
    add("VolumeSize", "a volume has another size", changes("CIM_StorageVolume", "NumberOfBlocks"));
    add("VolumeStatus", "a volume has another status", changes("CIM_StorageVolume", "OperationalStatus"));
    add("PoolSpace", "a pool has another size", changes("CIM_StoragePool", "TotalManagedSpace"));
    add("PoolStatus", "a pool has another status", changes("CIM_StoragePool", "OperationalStatus"));
    add("Alerts", "whatever a person should know", from + kAlertClass);
    return filters;
  }();
  return *kFilters;
}

IndicationSource::IndicationSource(io::Loop& loop, Surroundings surroundings, Identity identity,
                                   wbem::IndicationService& service, std::vector<uint32_t> warn_used)
    : loop_(loop),
      face_(std::make_shared<const Face>(surroundings, std::move(identity))),
      service_(service),
      warn_used_(std::move(warn_used)) {}

IndicationSource::~IndicationSource() { LS_ASSERT(subscription_ == 0); }

void IndicationSource::Start() {
  subscription_ = face_->control.Subscribe([this](const Change& change) {
    if (IsWanted(change)) Note(change);
  });
  service_.OnInterest([this] { InterestChanged(); });
  InterestChanged();
}

Task<void> IndicationSource::Stop() {
  if (subscription_ == 0) co_return;
  stopping_ = true;
  face_->control.Unsubscribe(std::exchange(subscription_, 0));
  service_.OnInterest(nullptr);
  loop_.Cancel(timer_);
  timer_ = io::TimerId::kNone;
  alive_.reset();
  if (looking_) co_await SuspendWith([this](auto resume) { stopped_ = std::move(resume); });
}

bool IndicationSource::Wants(ChangeKind kind, std::string_view class_name) const {
  return service_.Wants(std::string(kStorageNamespace), kIndicationClasses[Index(kind)], class_name);
}

// What is compared with what it was needs something to begin with.
void IndicationSource::InterestChanged() {
  if (stopping_) return;
  for (size_t record = 0; record < std::size(kClassOf); ++record)
    for (const ChangeKind kind : {ChangeKind::kCreated, ChangeKind::kModified, ChangeKind::kDeleted})
      wanted_[record][Index(kind)] = kClassOf[record] && Wants(kind, kClassOf[record]);
  alerts_wanted_ = service_.Wants(std::string(kStorageNamespace), kAlertClass, "");

  const bool groups = wanted_[kGroupRelationship][Index(ChangeKind::kModified)];
  if (!groups) groups_.clear();
  if (groups && groups_.empty())
    for (const control::GroupRelationshipView& view : face_->control.GroupRelationships())
      groups_.emplace(view.record.id, GroupSynchronizedInstance(*face_, view));
  const bool jobs = wanted_[kJob][Index(ChangeKind::kModified)];
  if (!jobs) jobs_.clear();
  if (jobs)
    for (const catalog::JobRecord& job : face_->control.Jobs())
      if (!IsFinal(job.state)) jobs_.try_emplace(job.id, job);
  LookAtPools();
  ScheduleLook();
}

bool IndicationSource::IsWanted(const Change& change) const {
  const size_t record = RecordOf(change).index();
  if (wanted_[record][Index(change.kind)]) return true;
  if (record == kRelationship && wanted_[kGroupRelationship][Index(ChangeKind::kModified)]) return true;
  return alerts_wanted_ && (record == kPool || record == kRelationship || record == kJob);
}

void IndicationSource::Note(const Change& change) {
  if (noted_.size() >= kNotedMax) {
    if (left_out_++ == 0) face_->log.Warn("smis: more changes at once than can be told: some indications are lost");
    return;
  }
  noted_.push_back(change);
  PumpLater();
}

void IndicationSource::PumpLater() {
  if (std::exchange(pumping_, true)) return;
  loop_.Post([this, weak = std::weak_ptr<bool>(alive_)] {
    if (weak.expired()) return;
    pumping_ = false;
    Pump();
  });
}

void IndicationSource::Pump() {
  const io::Instant begin = face_->clock.Now();
  while (!noted_.empty() || !volumes_.empty()) {
    if (!noted_.empty()) {
      const Change change = std::move(noted_.front());
      noted_.pop_front();
      Tell(change);
    } else {
      const StateOfVolume volume = std::move(volumes_.front());
      volumes_.pop_front();
      TellVolumeState(volume);
    }
    if (face_->clock.Now() - begin > kSlice) return PumpLater();
  }
  left_out_ = 0;
  LookAtGroupRelationships();
}

Instance IndicationSource::InstanceOf(const Record& record) const {
  const control::Control& control = face_->control;
  if (const auto* pool = std::get_if<catalog::PoolRecord>(&record)) return PoolInstance(*face_, control.ViewOf(*pool));
  if (const auto* group = std::get_if<catalog::GroupRecord>(&record)) return GroupInstance(*face_, *group);
  if (const auto* job = std::get_if<catalog::JobRecord>(&record)) return JobInstance(*face_, *job);
  if (const auto* pair = std::get_if<catalog::RelationshipRecord>(&record))
    return StorageSynchronizedInstance(*face_, control.ViewOf(*pair));
  if (const auto* pairs = std::get_if<catalog::GroupRelationshipRecord>(&record))
    return GroupSynchronizedInstance(*face_, control.ViewOf(*pairs));
  const auto& volume = std::get<catalog::VolumeRecord>(record);
  const Result<control::PoolView> pool = control.Pool(volume.pool);
  return VolumeInstance(*face_, control.ViewOf(volume), pool.ok() ? pool->state : Status());
}

void IndicationSource::Tell(const Change& change) {
  if (alerts_wanted_) TellAlerts(change);
  const Record& record = RecordOf(change);
  if (const auto* pair = std::get_if<catalog::RelationshipRecord>(&record); pair && !pair->group.IsNil())
    touched_.insert(pair->group);
  if (const auto* pairs = std::get_if<catalog::GroupRelationshipRecord>(&record)) {
    // Told from what it looks like as a whole.
    if (change.kind == ChangeKind::kDeleted) groups_.erase(pairs->id);
    else touched_.insert(pairs->id);
    if (change.kind == ChangeKind::kModified) return;
  }
  if (std::holds_alternative<catalog::PoolRecord>(record)) {
    if (change.kind == ChangeKind::kModified) return LookAtPools();
    LookAtPools();
  }
  Record before = change.before.value_or(record);
  if (const auto* job = std::get_if<catalog::JobRecord>(&record)) {
    // What was told last may be further than what was stored.
    const auto told = jobs_.find(job->id);
    if (told != jobs_.end()) before = told->second;
    const bool watched = wanted_[kJob][Index(ChangeKind::kModified)];
    if (watched && change.after && !IsFinal(job->state)) jobs_.insert_or_assign(job->id, *job);
    else if (told != jobs_.end()) jobs_.erase(told);
    ScheduleLook();
  }
  if (!wanted_[record.index()][Index(change.kind)]) return;
  Instance was = change.kind == ChangeKind::kCreated ? Instance() : InstanceOf(before);
  TellLifeCycle(change.kind, std::move(was), change.after ? InstanceOf(*change.after) : Instance());
}

void IndicationSource::TellLifeCycle(ChangeKind kind, Instance before, Instance after) {
  Instance& source = kind == ChangeKind::kDeleted ? before : after;
  Instance indication(kIndicationClasses[Index(kind)]);
  if (kind == ChangeKind::kModified) {
    std::vector<std::string> changed = Differing(before, after);
    if (changed.empty()) return;
    indication.Add("ChangedPropertyNames", Value::Array(changed));
  }
  indication.Add("SourceInstanceModelPath", source.path.ToString());
  indication.Add("SourceInstanceHost", face_->paths.system_name());
  indication.Add("SourceInstance", Value(std::move(source)));
  if (kind == ChangeKind::kModified) indication.Add("PreviousInstance", Value(std::move(before)));
  service_.Publish(std::string(kStorageNamespace), std::move(indication));
}

void IndicationSource::TellVolumeState(const StateOfVolume& volume) {
  const Result<control::VolumeView> view = face_->control.Volume(volume.id);
  if (!view.ok()) return;
  TellLifeCycle(ChangeKind::kModified, VolumeInstance(*face_, *view, volume.before),
                VolumeInstance(*face_, *view, volume.after));
}

std::string IndicationSource::NameOf(catalog::VolumeId volume) const {
  const Result<control::VolumeView> view = face_->control.Volume(volume);
  return view.ok() ? view->record.name : volume.ToString();
}

void IndicationSource::Alert(AlertKind kind, const wbem::ObjectPath& element,
                             const std::vector<std::string>& arguments) {
  service_.Publish(std::string(kStorageNamespace), AlertIndication(*face_, kind, element, arguments));
}

void IndicationSource::TellAlerts(const Change& change) {
  if (!change.after || !change.before) return;
  if (const auto* pool = std::get_if<catalog::PoolRecord>(&*change.after)) {
    const auto& before = std::get<catalog::PoolRecord>(*change.before);
    if (pool->last_bad_at != before.last_bad_at)
      Alert(AlertKind::kBadBlock, face_->paths.Pool(pool->id), {pool->name, pool->last_bad});
  } else if (const auto* pair = std::get_if<catalog::RelationshipRecord>(&*change.after)) {
    if (pair->state == std::get<catalog::RelationshipRecord>(*change.before).state) return;
    const wbem::ObjectPath path = face_->paths.Relationship(*pair);
    std::vector<std::string> arguments = {NameOf(pair->source), NameOf(pair->target)};
    if (pair->state == catalog::CopyState::kBroken) return Alert(AlertKind::kRelationshipBroken, path, arguments);
    arguments.emplace_back(catalog::Name(pair->state));
    Alert(AlertKind::kRelationshipChanged, path, arguments);
  } else if (const auto* job = std::get_if<catalog::JobRecord>(&*change.after)) {
    if (job->state != catalog::JobState::kException ||
        std::get<catalog::JobRecord>(*change.before).state == job->state)
      return;
    Alert(AlertKind::kJobFailed, face_->paths.Job(job->id), {job->name, job->error});
  }
}

// Those whose pairs, or whose own records, have changed since the last time.
void IndicationSource::LookAtGroupRelationships() {
  const bool wanted = wanted_[kGroupRelationship][Index(ChangeKind::kModified)];
  for (const catalog::GroupRelationshipId& id : std::exchange(touched_, {})) {
    const Result<control::GroupRelationshipView> view = face_->control.GroupRelationship(id);
    if (!wanted || !view.ok()) continue;
    Instance now = GroupSynchronizedInstance(*face_, *view);
    const auto known = groups_.find(id);
    if (known == groups_.end()) {
      groups_.emplace(id, std::move(now));
      continue;
    }
    if (known->second == now) continue;
    TellLifeCycle(ChangeKind::kModified, std::exchange(known->second, now), now);
  }
}

void IndicationSource::LookAtJobs() {
  for (auto& [id, told] : jobs_) {
    const Result<catalog::JobRecord> now = face_->control.Job(id);
    if (!now.ok() || now->percent == told.percent || now->state != told.state) continue;
    const catalog::JobRecord before = std::exchange(told, *now);
    TellLifeCycle(ChangeKind::kModified, JobInstance(*face_, before), JobInstance(*face_, told));
  }
}

void IndicationSource::LookAtPools() {
  const bool pools_wanted = wanted_[kPool][Index(ChangeKind::kModified)];
  const bool volumes_wanted = wanted_[kVolume][Index(ChangeKind::kModified)];
  std::map<catalog::PoolId, SeenPool> seen = std::exchange(pools_, {});
  if (!pools_wanted && !volumes_wanted && !alerts_wanted_) return;
  for (const control::PoolView& pool : face_->control.Pools()) {
    const catalog::PoolId id = pool.record.id;
    const auto known = seen.find(id);
    SeenPool now = known != seen.end() ? std::move(known->second)
                                       : SeenPool{{}, pool.state, block::SpaceWatch(warn_used_)};
    Instance before = std::exchange(now.instance, pools_wanted ? PoolInstance(*face_, pool) : Instance());
    if (pools_wanted && !before.class_name.empty() && !(before == now.instance))
      TellLifeCycle(ChangeKind::kModified, std::move(before), now.instance);
    const Status was = std::exchange(now.state, pool.state);
    if (was.ok() != pool.state.ok()) {
      if (alerts_wanted_ && was.ok())
        Alert(AlertKind::kPoolFailed, face_->paths.Pool(id), {pool.record.name, pool.state.message()});
      else if (alerts_wanted_) Alert(AlertKind::kPoolBack, face_->paths.Pool(id), {pool.record.name});
      if (volumes_wanted)
        for (const control::VolumeView& volume : face_->control.Volumes())
          if (volume.record.pool == id) volumes_.push_back({volume.record.id, was, pool.state});
    }
    const auto threshold = now.space.Look(pool.info.used, pool.info.size);
    if (threshold && alerts_wanted_ && pool.state.ok())
      Alert(AlertKind::kPoolFilling, face_->paths.Pool(id), {pool.record.name, std::to_string(*threshold)});
    pools_.emplace(id, std::move(now));
  }
  if (!volumes_.empty()) PumpLater();
}

void IndicationSource::ScheduleLook() {
  const bool needed = !pools_.empty() || !jobs_.empty() || alerts_wanted_ ||
                      wanted_[kPool][Index(ChangeKind::kModified)];
  if (!needed || stopping_ || looking_ || timer_ != io::TimerId::kNone) return;
  timer_ = loop_.After(kBetweenLooks, [this] {
    timer_ = io::TimerId::kNone;
    Spawn(Look());
  });
}

Task<void> IndicationSource::Look() {
  looking_ = true;
  const bool pools_matter = alerts_wanted_ || wanted_[kPool][Index(ChangeKind::kModified)];
  if (pools_matter && looks_++ % kLooksPerRefresh == 0) {
    Task<void> refresh = face_->control.RefreshUsage();
    co_await std::move(refresh);
  }
  looking_ = false;
  if (stopped_) {
    loop_.Post(std::move(stopped_));
    co_return;
  }
  if (stopping_) co_return;
  LookAtJobs();
  LookAtPools();
  ScheduleLook();
}

}  // namespace lockstep::smis
