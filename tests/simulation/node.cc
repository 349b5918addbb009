#include "tests/simulation/node.h"

#include <fmt/format.h>

#include <algorithm>

namespace lockstep::simulation {

using block::kBlockSize;

namespace {
constexpr auto kPatience = std::chrono::hours(2);    // of simulated time
constexpr uint64_t kMostClosures = 3'000'000;        // without an end: something goes round in circles

const char* KindName(const block::Request& request) {
  switch (request.op) {
    case block::Request::Op::kRead: return "read";
    case block::Request::Op::kWrite: return "write";
    case block::Request::Op::kFlush: return "flush";
    default: return "discard";
  }
}
}  // namespace

struct Node::Op {
  explicit Op(uint64_t blocks) : memory(std::max<uint64_t>(1, blocks) * kBlockSize), buffer(memory.buffer()) {}
  test::AlignedMemory memory;
  io::Buffer buffer;
  block::Request request;
  std::shared_ptr<block::Volume> handle;
  Node* node = nullptr;
  VolumeId volume;
  PointId point;
  Event submitted = 0;
  Oracle::WriteIndex write = 0;
};

Node::~Node() {
  if (report_.stuck) (void)pool_.release();
}

bool Node::RunUntil(const std::function<bool()>& over, const char* what) {
  if (report_.stuck) return false;
  const uint64_t end = env_.loop().closures_run() + kMostClosures;
  const auto run = [&] {
    env_.loop().RunUntil([&] { return over() || env_.loop().closures_run() > end; }, kPatience);
    return over();
  };
  if (run()) return true;
  // A device that hangs comes round in the end.
  while (disks_.hung() != 0 && env_.loop().closures_run() <= end) {
    disks_.ReleaseHung();
    if (run()) return true;
  }
  report_.stuck = true;
  std::string waiting;
  for (const auto& [kind, n] : kinds_)
    if (n != 0) waiting += fmt::format("{} {}, ", n, kind);
  report_.Add(fmt::format("{} does not end: {}{}{}{}", what, waiting, structure_busy_ ? "a transaction, " : "",
                          chore_busy_ ? "a chore, " : "",
                          env_.loop().closures_run() > end ? "the loop is always busy" : "nothing happens any more"));
  return false;
}

void Node::Settle() {
  RunUntil([this] { return in_flight_ == 0 && !structure_busy_ && !chore_busy_; }, "what is in flight");
}

Status Node::Open(const logstore::Options& options) {
  auto files = disks_.OpenAll();
  if (!files.ok()) return files.status();
  logstore::Opening opening{std::move(*files), "index", id_};
  const logstore::Seams seams{env_.loop(), env_.executor(), env_.files(), env_.random(), env_.log(), env_.clock(),
                              &env_.background()};
  auto pool = Await(logstore::OpenDevices(std::move(opening), options, seams), "opening");
  if (!pool) return Internal("opening does not end");
  Answer("open", pool->status());
  if (!pool->ok()) return pool->status();
  pool_ = std::move(**pool);
  return {};
}

void Node::Close() {
  if (!pool_ || report_.stuck) return;
  Settle();
  auto closing = [](block::Pool& pool) -> Task<bool> {
    co_await pool.Close();
    co_return true;
  };
  Await(closing(*pool_), "closing");
  if (report_.stuck) return;
  pool_.reset();
}

void Node::Answer(const char* what, const Status& status, uint64_t more) {
  env_.trace().Add(what, {static_cast<uint64_t>(status.code()), more});
  ++report_.counts[status.ok() ? what : fmt::format("{}: {}", what, CodeName(status.code()))];
}

bool Node::Expect(const Status& status, bool reads, const std::string& what) {
  if (status.ok()) return true;
  const bool io = status.code() == Code::kIoError, bad = status.code() == Code::kCorrupted;
  if (env_.faults().power_is_cut()) return false;
  if (excuses_.io_errors && env_.faults().injected() != 0 && (io || bad)) {
    failed_ = failed_ || !reads;
    return false;
  }
  if (reads && excuses_.bad_reads && io) return false;
  if (excuses_.damage && (bad || io)) return false;
  report_.Add(fmt::format("{} fails: {}", what, status.ToString()));
  return false;
}

void Node::Submit(std::unique_ptr<Op> op) {
  op->node = this;
  op->submitted = oracle_.Tick();
  op->request.context = op.get();
  op->request.done = [](block::Request& r) {
    const std::unique_ptr<Op> own(static_cast<Op*>(r.context));
    own->node->Done(*own);
  };
  ++in_flight_;
  ++kinds_[KindName(op->request)];
  env_.trace().Add(op->point.IsNil() ? "ask" : "ask point", {static_cast<uint64_t>(op->request.op), op->request.offset,
                                                            op->request.length});
  ++using_[op->point.IsNil() ? op->volume.uuid : op->point.uuid];
  block::Volume& volume = *op->handle;
  volume.Submit(op.release()->request);
}

void Node::Write(VolumeId volume, uint64_t first, uint64_t count, Tag tag, bool fua) {
  auto handle = pool_->OpenVolume(volume);
  if (!handle.ok()) return report_.Add("a volume cannot be opened: " + handle.status().ToString());
  auto op = std::make_unique<Op>(count);
  for (uint64_t i = 0; i < count; ++i) Paint(op->memory.data() + i * kBlockSize, tag, first + i);
  op->handle = *handle;
  op->volume = volume;
  using Kind = block::Request::Op;
  op->request.op = tag != 0 ? Kind::kWrite : first % 2 == 0 ? Kind::kDiscard : Kind::kWriteZeroes;
  op->request.offset = first * kBlockSize;
  op->request.length = count * kBlockSize;
  op->request.fua = fua;
  if (tag != 0) op->request.buffers = {&op->buffer, 1};
  op->write = oracle_.Submit(volume, first, count, tag);
  Submit(std::move(op));
}

void Node::Read(VolumeId volume, uint64_t first, uint64_t count) {
  auto handle = pool_->OpenVolume(volume);
  if (!handle.ok()) return report_.Add("a volume cannot be opened: " + handle.status().ToString());
  auto op = std::make_unique<Op>(count);
  op->handle = *handle;
  op->volume = volume;
  op->request.offset = first * kBlockSize;
  op->request.length = count * kBlockSize;
  op->request.buffers = {&op->buffer, 1};
  Submit(std::move(op));
}

void Node::ReadPoint(PointId point, VolumeId volume, uint64_t first, uint64_t count) {
  auto handle = pool_->OpenPoint(point, volume);
  if (!handle.ok()) return report_.Add("a point cannot be opened: " + handle.status().ToString());
  auto op = std::make_unique<Op>(count);
  op->handle = *handle;
  op->volume = volume;
  op->point = point;
  op->request.offset = first * kBlockSize;
  op->request.length = count * kBlockSize;
  op->request.buffers = {&op->buffer, 1};
  Submit(std::move(op));
}

void Node::Flush(VolumeId volume) {
  auto handle = pool_->OpenVolume(volume);
  if (!handle.ok()) return report_.Add("a volume cannot be opened: " + handle.status().ToString());
  auto op = std::make_unique<Op>(0);
  op->handle = *handle;
  op->volume = volume;
  op->request.op = block::Request::Op::kFlush;
  Submit(std::move(op));
}

void Node::WriteDone(Op& op) {
  const Status& status = op.request.status;
  if (status.ok()) {
    oracle_.Acknowledge(op.write);
    if (op.request.fua) oracle_.Durable(op.write);
    return;
  }
  if (status.code() == Code::kNoSpace) {
    ++refused_;
    return oracle_.Refuse(op.write);
  }
  (void)Expect(status, false, op.request.op == block::Request::Op::kWrite ? "a write" : "a discard");
}

void Node::Done(Op& op) {
  --in_flight_;
  const auto in_use = using_.find(op.point.IsNil() ? op.volume.uuid : op.point.uuid);
  if (--in_use->second == 0) using_.erase(in_use);
  using Kind = block::Request::Op;
  const Status& status = op.request.status;
  const Kind kind = op.request.op;
  --kinds_[KindName(op.request)];
  Answer(KindName(op.request), status, op.request.offset);
  if (kind == Kind::kFlush) {
    if (Expect(status, false, "a flush")) oracle_.Durable(op.submitted);
    return;
  }
  if (kind != Kind::kRead) return WriteDone(op);
  if (!Expect(status, true, "a read")) return;
  Contents seen;
  const uint64_t first = op.request.offset / kBlockSize;
  for (uint64_t i = 0; i < op.request.length / kBlockSize; ++i)
    seen.push_back(Recognize(op.memory.data() + i * kBlockSize, first + i));
  const auto problem = op.point.IsNil() ? oracle_.CheckRead(op.volume, first, seen, op.submitted)
                                        : oracle_.CheckPointRead(op.point, op.volume, first, seen);
  if (problem) {
    env_.trace().Add("PROBLEM", {op.submitted});
    report_.Add(*problem);
  }
}

std::vector<VolumeId> Node::LockedBy(const std::vector<block::Change>& changes) const {
  std::vector<VolumeId> locked;
  for (const block::Change& change : changes) {
    if (const auto* d = std::get_if<block::DeleteVolume>(&change)) locked.push_back(d->volume);
    if (const auto* s = std::get_if<block::SetContent>(&change)) locked.push_back(s->volume);
    if (const auto* c = std::get_if<block::Clone>(&change)) locked.push_back(c->volume);
    if (const auto* c = std::get_if<block::CreateVolume>(&change)) locked.push_back(c->volume);
    if (const auto* r = std::get_if<block::ResizeVolume>(&change)) locked.push_back(r->volume);
  }
  return locked;
}

void Node::Apply(std::vector<block::Change> changes) {
  LS_ASSERT(!structure_busy_);
  structure_busy_ = true;
  for (const VolumeId& v : LockedBy(changes)) locked_.insert(v);
  for (const block::Change& change : changes) {
    env_.trace().Add("change", {change.index()});
    if (const auto* r = std::get_if<block::ReleasePoint>(&change)) releasing_.insert(r->point);
  }
  block::Transaction transaction{{env_.random().NextUuid()}, std::move(changes)};
  oracle_.Begin(transaction);
  Spawn(RunTransaction(std::move(transaction)));
}

Status Node::ApplyNow(std::vector<block::Change> changes) {
  Apply(std::move(changes));
  if (!RunUntil([this] { return !structure_busy_; }, "a transaction")) return Internal("stuck");
  return structure_status_;
}

Task<void> Node::RunTransaction(block::Transaction transaction) {
  const Status status = co_await pool_->Apply(transaction);
  structure_status_ = status;
  Answer("apply", status);
  bool release = true;
  if (status.ok()) {
    oracle_.Applied();
    release = co_await LearnPoints(transaction);
  } else if (status.code() == Code::kNoSpace) {
    ++refused_;
    oracle_.Refused();
  } else {
    (void)Expect(status, false, "a transaction");
    release = false;  // nobody knows what it has done
  }
  if (release) {
    for (const VolumeId& v : LockedBy(transaction.changes)) locked_.erase(v);
    releasing_.clear();
  }
  structure_busy_ = false;
}

Task<std::optional<Contents>> Node::ReadAll(std::shared_ptr<block::Volume> volume) {
  const uint64_t blocks = volume->size() / kBlockSize;
  return ReadRange(std::move(volume), 0, blocks);
}

Task<std::optional<Contents>> Node::ReadRange(std::shared_ptr<block::Volume> volume, uint64_t first, uint64_t count) {
  test::AlignedMemory memory(count * kBlockSize);
  const io::Buffer buffer = memory.buffer();
  block::Request r;
  r.offset = first * kBlockSize;
  r.length = count * kBlockSize;
  r.buffers = {&buffer, 1};
  const Status status = co_await block::Run(*volume, r);
  Answer("read", status);
  if (!Expect(status, true, "a read")) co_return std::nullopt;
  Contents seen;
  for (uint64_t b = 0; b < count; ++b) seen.push_back(Recognize(memory.data() + b * kBlockSize, first + b));
  co_return seen;
}

Task<bool> Node::LearnPoints(block::Transaction transaction) {
  for (const block::Change& change : transaction.changes) {
    const auto* take = std::get_if<block::TakePoint>(&change);
    if (take == nullptr || !oracle_.points().contains(take->point)) continue;
    std::map<VolumeId, Contents> seen;
    for (const VolumeId& v : take->volumes) {
      auto handle = pool_->OpenPoint(take->point, v);
      if (!handle.ok()) {
        report_.Add("a new point cannot be opened: " + handle.status().ToString());
        co_return false;
      }
      std::optional<Contents> contents = co_await ReadAll(*handle);
      // With a fault in the way it stays unknown; what was made from it stays locked, until the next life.
      if (!contents) co_return false;
      seen.emplace(v, std::move(*contents));
    }
    if (const auto problem = oracle_.Learn(take->point, seen)) report_.Add(*problem);
    archive_[take->point] = std::move(seen);
    if (on_point) on_point(take->point);
  }
  co_return true;
}

void Node::Start(Chore chore) {
  LS_ASSERT(!chore_busy_);
  chore_busy_ = true;
  Spawn(RunChore(chore));
}

Task<void> Node::RunDiff() {
  const auto points = pool_->Points();
  for (size_t i = 0; i + 1 < points.size(); ++i) {
    const auto from = archive_.find(points[i].id), to = archive_.find(points[i + 1].id);
    if (from == archive_.end() || to == archive_.end()) continue;
    for (const auto& [volume, before] : from->second) {
      const auto after = to->second.find(volume);
      if (after == to->second.end()) continue;
      const auto extents = co_await pool_->Diff(volume, points[i].id, points[i + 1].id);
      Answer("diff", extents.status());
      const Code code = extents.status().code();
      if (!extents.ok()) {
        // The volume's content was replaced between the two, or a point was released while we asked.
        if (code != Code::kNotSupported && code != Code::kNotFound && code != Code::kInvalidArgument)
          (void)Expect(extents.status(), true, "a diff");
        co_return;
      }
      for (size_t b = 0; b < std::min(before.size(), after->second.size()); ++b) {
        const bool named = std::any_of(extents->begin(), extents->end(), [&](const block::Extent& e) {
          return e.offset <= b * kBlockSize && b * kBlockSize < e.offset + e.length;
        });
        if (!named && before[b] != after->second[b])
          report_.Add(fmt::format("a diff of volume {} does not name block {}, which differs", volume.ToString(), b));
      }
      co_return;
    }
  }
}

Task<void> Node::CopyUp() {
  const auto volumes = pool_->Volumes();
  if (volumes.empty()) co_return;
  const block::VolumeInfo& v = volumes[oracle_.now() % volumes.size()];
  const auto copied = co_await pool_->CopyUp(v.id, 0, v.size);
  Answer("copy up", copied.status());
  const Code code = copied.status().code();
  if (code != Code::kNoSpace && code != Code::kNotFound) (void)Expect(copied.status(), true, "copying up");
}

Task<void> Node::Scrub() {
  const auto report = co_await pool_->Scrub({});
  Answer("scrub", report.status(), report.ok() ? report->blocks : 0);
  if (!Expect(report.status(), true, "a scrub")) co_return;
  if (report->bad != 0 && !excuses_.bad_reads && !excuses_.damage && !excuses_.io_errors &&
      !env_.faults().power_is_cut())
    report_.Add(fmt::format("a scrub finds {} bad blocks where none was damaged", report->bad));
}

Task<void> Node::Check() {
  const auto report = co_await pool_->Check();
  Answer("check", report.status(), report.ok() ? report->current : 0);
  if (!Expect(report.status(), false, "a check")) co_return;
  for (const std::string& problem : report->problems) report_.Add("the engine's check: " + problem);
}

Task<void> Node::FlushPool() {
  const Event submitted = oracle_.Tick();
  const Status flushed = co_await pool_->Flush();
  Answer("pool flush", flushed);
  if (Expect(flushed, false, "a flush of the pool")) oracle_.Durable(submitted);
}

Task<void> Node::AddDevice() {
  const auto& names = disks_.names();
  const auto free = std::find_if(names.begin(), names.end(), [&](const auto& n) { return !disks_.is_open(n); });
  if (free == names.end()) co_return;
  auto disk = disks_.Open(*free);
  if (!disk.ok()) co_return;
  const auto added = co_await pool_->AddDevice(std::move(*disk), *free);
  Answer("add device", added.status());
  (void)Expect(added.status(), false, "adding a device");
}

Task<void> Node::RemoveDevice() {
  const auto devices = pool_->Devices();
  if (devices.size() < 2) co_return;
  const Status removed = co_await pool_->RemoveDevice(devices[oracle_.now() % devices.size()].id, {});
  Answer("remove device", removed);
  if (removed.code() != Code::kNoSpace) (void)Expect(removed, true, "removing a device");
}

Task<void> Node::RunChore(Chore chore) {
  switch (chore) {
    case Chore::kCopyUp: co_await CopyUp(); break;
    case Chore::kDiff: co_await RunDiff(); break;
    case Chore::kScrub: co_await Scrub(); break;
    case Chore::kCheck: co_await Check(); break;
    case Chore::kPoolFlush: co_await FlushPool(); break;
    case Chore::kAddDevice: co_await AddDevice(); break;
    case Chore::kRemoveDevice: co_await RemoveDevice(); break;
  }
  chore_busy_ = false;
}

std::optional<Contents> Node::ReadNow(VolumeId volume) {
  auto handle = pool_->OpenVolume(volume);
  if (!handle.ok()) return std::nullopt;
  return Await(ReadAll(*handle), "a read").value_or(std::nullopt);
}

void Node::CheckAfterRestart(bool crashed) {
  std::map<VolumeId, Contents> volumes;
  std::map<PointId, std::map<VolumeId, Contents>> points;
  for (const block::VolumeInfo& v : pool_->Volumes()) {
    auto contents = ReadNow(v.id);
    if (!contents) return;  // reported
    volumes.emplace(v.id, std::move(*contents));
  }
  for (const block::PointInfo& p : pool_->Points())
    for (const VolumeId& v : p.volumes) {
      auto handle = pool_->OpenPoint(p.id, v);
      if (!handle.ok()) return report_.Add("a point cannot be opened: " + handle.status().ToString());
      auto contents = Await(ReadAll(*handle), "a read").value_or(std::nullopt);
      if (!contents) return;
      points[p.id].emplace(v, std::move(*contents));
    }
  archive_ = points;
  const bool applied = oracle_.pending() && pool_->WasApplied(oracle_.transaction().id);
  if (const auto problem = oracle_.Restarted(applied, crashed, volumes, points))
    report_.Add(fmt::format("after a {}: {}", crashed ? "crash" : "restart", *problem));
  Start(Chore::kCheck);
  Settle();
}

void Node::CheckDamaged() {
  for (const block::VolumeInfo& v : pool_->Volumes()) {
    for (uint64_t b = 0; b < v.size / kBlockSize && !report_.stuck; ++b) {
      auto handle = pool_->OpenVolume(v.id);
      const auto seen = Await(ReadRange(*handle, b, 1), "a read").value_or(std::nullopt);
      if (seen && !oracle_.WasEverWritten(b, seen->front()))
        report_.Add(fmt::format("volume {} block {} holds tag {}, which was never written there", v.id.ToString(), b,
                                seen->front()));
    }
  }
}

void Node::CheckAll() {
  Settle();
  if (report_.stuck || failed_) return;
  for (const auto& [id, volume] : oracle_.volumes()) {
    if (!Usable(id)) continue;
    const Event submitted = oracle_.Tick();
    const auto seen = ReadNow(id);
    if (!seen) continue;
    if (const auto problem = oracle_.CheckRead(id, 0, *seen, submitted)) report_.Add(*problem);
  }
  for (const auto& [id, point] : oracle_.points()) {
    if (!Usable(id)) continue;
    for (const auto& [v, contents] : point.seen) ReadPoint(id, v, 0, contents.size());
  }
  Start(Chore::kCheck);
  Settle();
  const block::PoolInfo info = pool_->Info();
  env_.trace().Add("info", {info.used, info.free, info.live, info.last, info.durable});
  if (info.used + info.free != info.size || info.durable > info.last)
    report_.Add(fmt::format("the pool's figures do not add up: {} used, {} free of {}; {} durable of {}", info.used,
                            info.free, info.size, info.durable, info.last));
}

}  // namespace lockstep::simulation
