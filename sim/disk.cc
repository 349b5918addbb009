#include "sim/disk.h"

#include <cstring>

#include <fmt/format.h>

#include "base/checksum.h"

namespace lockstep::sim {
namespace {

IoKind KindOf(io::DiskRequest::Op op) {
  switch (op) {
    case io::DiskRequest::Op::kRead: return IoKind::kDiskRead;
    case io::DiskRequest::Op::kWrite: return IoKind::kDiskWrite;
    case io::DiskRequest::Op::kFlush: return IoKind::kDiskFlush;
    case io::DiskRequest::Op::kDiscard: return IoKind::kDiskDiscard;
  }
  LS_ASSERT(false);
}

std::vector<std::byte> Gather(const io::DiskRequest& request) {
  std::vector<std::byte> data;
  data.reserve(request.length);
  for (const io::Buffer& b : request.buffers) data.insert(data.end(), b.data, b.data + b.size);
  return data;
}

}  // namespace

SimDisk::SimDisk(Setup setup)
    : setup_(std::move(setup)), size_(setup_.media.size()), random_(setup_.seed), source_(setup_.loop.NewSource()) {}

SimDisk::~SimDisk() { *alive_ = false; }

Status SimDisk::Broken(const char* why) const { return IoError(fmt::format("disk {}: {}", setup_.name, why)); }

void SimDisk::Submit(io::DiskRequest& request) {
  const uint64_t id = next_id_++;
  Flight& flight = in_flight_.emplace(id, Flight{&request, CheckRequest(*this, request), 0, 0}).first->second;
  if (!flight.refused.ok()) return Schedule(id);
  const FaultPlan::Verdict verdict = setup_.faults.Next(KindOf(request.op));
  if (verdict == FaultPlan::Verdict::kDead) flight.refused = Broken("there is no power (simulated)");
  if (verdict == FaultPlan::Verdict::kCut) {
    // Begun and never completed: whatever part of it a crash likes may be on the media.
    Begin(flight);
    flight.refused = Broken("the power failed (simulated)");
  }
  if (verdict == FaultPlan::Verdict::kFail) {
    Begin(flight);
    if (request.op == io::DiskRequest::Op::kWrite) setup_.media.FailWrite(flight.write, random_);
    if (request.op == io::DiskRequest::Op::kFlush) setup_.media.FailFlush(flight.flush_mark);
    flight.refused = Broken("I/O error (simulated)");
  }
  if (flight.refused.ok()) Begin(flight, verdict == FaultPlan::Verdict::kMisdirect);
  Note("submit", id, request);
  if (verdict == FaultPlan::Verdict::kHang)
    hung_.push_back(id);
  else
    Schedule(id);
}

void SimDisk::Note(const char* what, uint64_t id, const io::DiskRequest& request) {
  if (setup_.trace == nullptr) return;
  // Of writes what they bring, when they come; of reads what they have found.
  uint64_t sum = 0;
  const bool has_read = request.op == io::DiskRequest::Op::kRead && *what == 'd' && request.status.ok();
  if (request.op == io::DiskRequest::Op::kWrite || has_read)
    for (const io::Buffer& b : request.buffers) sum = Crc32c({b.data, b.size}, static_cast<uint32_t>(sum));
  setup_.trace->Add(what, {id, static_cast<uint64_t>(request.op), request.offset, request.length, sum,
                           static_cast<uint64_t>(request.status.code())});
}

void SimDisk::Begin(Flight& flight, bool misdirected) {
  if (flight.request->op == io::DiskRequest::Op::kWrite) {
    uint64_t at = flight.request->offset;
    if (misdirected) at = random_.Below((size() - flight.request->length) / block_size() + 1) * block_size();
    flight.write = setup_.media.BeginWrite(at, Gather(*flight.request));
  }
  flight.flush_mark = setup_.media.FlushMark();
}

void SimDisk::Schedule(uint64_t id) {
  const DiskTiming& timing = setup_.timing;
  if (timing.max_delay.count() > 0) {
    const auto spread = static_cast<uint64_t>((timing.max_delay - timing.min_delay).count());
    const io::Duration delay = timing.min_delay + io::Duration(static_cast<int64_t>(random_.Below(spread + 1)));
    setup_.loop.After(delay, [this, alive = alive_, id] {
      if (*alive) Complete(id);
    });
    return;
  }
  waiting_.push_back(id);
  setup_.loop.PostFrom(source_, [this, alive = alive_] {
    if (!*alive) return;
    const size_t pick = setup_.timing.shuffled ? random_.Below(waiting_.size()) : 0;
    const uint64_t next = waiting_[pick];
    waiting_.erase(waiting_.begin() + static_cast<ptrdiff_t>(pick));
    Complete(next);
  });
}

void SimDisk::ReleaseHung() {
  for (uint64_t id : std::exchange(hung_, {})) Schedule(id);
}

void SimDisk::Complete(uint64_t id) {
  const auto it = in_flight_.find(id);
  LS_ASSERT(it != in_flight_.end());
  Flight flight = std::move(it->second);
  in_flight_.erase(it);
  flight.request->status = Finish(flight);
  Note("done", id, *flight.request);
  flight.request->done(*flight.request);  // may destroy the request, and this disk
}

Status SimDisk::Finish(Flight& flight) {
  if (!flight.refused.ok()) return flight.refused;
  // The power went while this one was on its way. A write that was begun stays in flight for the crash to decide.
  if (setup_.faults.power_is_cut()) return Broken("the power failed (simulated)");
  const io::DiskRequest& request = *flight.request;
  switch (request.op) {
    case io::DiskRequest::Op::kRead: {
      std::vector<std::byte> data(request.length);
      if (!setup_.media.Read(request.offset, data)) return Broken("unreadable sector (simulated)");
      size_t at = 0;
      for (const io::Buffer& b : request.buffers) {
        std::memcpy(b.data, data.data() + at, b.size);
        at += b.size;
      }
      break;
    }
    case io::DiskRequest::Op::kWrite: setup_.media.CompleteWrite(flight.write, request.durable); break;
    case io::DiskRequest::Op::kFlush: setup_.media.CompleteFlush(flight.flush_mark); break;
    case io::DiskRequest::Op::kDiscard: setup_.media.Discard(request.offset, request.length, random_); break;
  }
  return {};
}

}  // namespace lockstep::sim
