#include "logstore/device_set.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace lockstep::logstore {

// The flushes of several devices that make up one of the set.
struct FlushGroup {
  io::DiskRequest* outer;
  size_t outstanding;
  Status status;
};

DeviceSet::DeviceSet(io::Loop& loop, uint64_t segment_size) : loop_(loop), segment_size_(segment_size) {}
DeviceSet::~DeviceSet() = default;

void DeviceSet::Add(DeviceId id, DeviceFile file) {
  LS_ASSERT(!Find(id));
  auto member = std::make_unique<Member>();
  member->id = id;
  member->file = std::move(file);
  members_.push_back(std::move(member));
}

void DeviceSet::Map(const DeviceTable& table) {
  runs_.clear();
  for (const DeviceRecord& device : table.devices) {
    const auto is_it = [&](const auto& m) { return m->id == device.id; };
    const auto member = std::find_if(members_.begin(), members_.end(), is_it);
    LS_ASSERT(member != members_.end());
    uint64_t offset = kDataOffset;
    for (const SegmentRange& r : device.ranges) {
      runs_.push_back({r, member->get(), offset});
      offset += r.count * segment_size_;
    }
  }
  std::sort(runs_.begin(), runs_.end(), [](const Run& a, const Run& b) { return a.range.first < b.range.first; });
  end_ = table.end();
}

io::Disk* DeviceSet::Find(DeviceId id) {
  for (const auto& m : members_)
    if (m->id == id) return m->file.disk.get();
  return nullptr;
}

const std::string& DeviceSet::PathOf(DeviceId id) const {
  static const std::string kNone;
  for (const auto& m : members_)
    if (m->id == id) return m->file.path;
  return kNone;
}

void DeviceSet::Release(DeviceId id, std::move_only_function<void(DeviceFile)> then) {
  for (const auto& m : members_) {
    if (m->id != id) continue;
    m->released = std::move(then);
    if (m->in_flight == 0) loop_.Post([this, member = m.get()] { LetGo(*member); });
    return;
  }
  LS_ASSERT(false);
}

void DeviceSet::LetGo(Member& member) {
  const auto it = std::find_if(members_.begin(), members_.end(), [&](const auto& m) { return m.get() == &member; });
  const std::unique_ptr<Member> gone = std::move(*it);
  members_.erase(it);
  gone->released(std::move(gone->file));
}

uint32_t DeviceSet::block_size() const {
  uint32_t largest = 512;
  for (const auto& m : members_) largest = std::max(largest, m->file.disk->block_size());
  return largest;
}

const DeviceSet::Run* DeviceSet::RunOf(uint64_t segment) const {
  const auto behind = std::upper_bound(runs_.begin(), runs_.end(), segment,
                                       [](uint64_t s, const Run& r) { return s < r.range.first; });
  if (behind == runs_.begin()) return nullptr;
  const Run& run = *std::prev(behind);
  return segment < run.range.end() ? &run : nullptr;
}

void DeviceSet::Submit(io::DiskRequest& request) {
  if (request.op == io::DiskRequest::Op::kFlush) return Flush(request);
  const Run* run = request.offset < kDataOffset ? nullptr : RunOf((request.offset - kDataOffset) / segment_size_);
  if (!run) return Refuse(request);
  const uint64_t in_run = request.offset - kDataOffset - run->range.first * segment_size_;
  if (request.length > run->range.count * segment_size_ - in_run) return Refuse(request);
  Transfer(*run, request, in_run);
}

DeviceSet::Flight& DeviceSet::TakeFlight(Member& member, io::DiskRequest& outer) {
  if (!free_) {
    flights_.push_back(std::make_unique<Flight>());
    free_ = flights_.back().get();
    free_->set = this;
  }
  Flight& flight = *free_;
  free_ = flight.next;
  flight.outer = &outer;
  flight.member = &member;
  flight.group = nullptr;
  flight.inner.op = outer.op;
  flight.inner.durable = outer.durable;
  flight.inner.length = outer.length;
  flight.inner.buffers = outer.buffers;
  flight.inner.context = &flight;
  flight.inner.done = [](io::DiskRequest& r) {
    auto* f = static_cast<Flight*>(r.context);
    f->set->Done(*f);
  };
  ++member.in_flight;
  return flight;
}

void DeviceSet::Transfer(const Run& run, io::DiskRequest& request, uint64_t in_run) {
  Flight& flight = TakeFlight(*run.member, request);
  flight.inner.offset = run.offset + in_run;
  run.member->file.disk->Submit(flight.inner);
}

void DeviceSet::Flush(io::DiskRequest& request) {
  std::vector<Member*> written;
  for (const auto& m : members_)
    if (m->unflushed) written.push_back(m.get());
  // Nothing to do: one device answers for all.
  if (written.empty()) written.push_back(members_.front().get());
  auto* group = new FlushGroup{&request, written.size(), {}};
  for (Member* member : written) {
    Flight& flight = TakeFlight(*member, request);
    flight.group = group;
    flight.inner.offset = 0;
    member->unflushed = false;  // what completes from here on is for the next one
    member->file.disk->Submit(flight.inner);
  }
}

void DeviceSet::Done(Flight& flight) {
  Member& member = *flight.member;
  io::DiskRequest* outer = flight.outer;
  FlushGroup* group = flight.group;
  Status status = std::move(flight.inner.status);
  flight.inner.status = {};
  const bool write = flight.inner.op == io::DiskRequest::Op::kWrite;
  if ((write && !(flight.inner.durable && status.ok())) || (group && !status.ok())) member.unflushed = true;
  flight.next = free_;
  free_ = &flight;
  if (--member.in_flight == 0 && member.released) loop_.Post([this, &member] { LetGo(member); });
  if (group) {
    if (!status.ok()) group->status = std::move(status);
    if (--group->outstanding != 0) return;
    status = std::move(group->status);
    delete group;
  }
  outer->status = std::move(status);
  outer->done(*outer);
}

void DeviceSet::Refuse(io::DiskRequest& request) {
  request.status = InvalidArgument(
      fmt::format("no device of the pool holds {} bytes at {}", request.length, request.offset));
  loop_.Post([&request] { request.done(request); });
}

}  // namespace lockstep::logstore
