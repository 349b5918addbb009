#include "logstore/write_path.h"

#include <algorithm>

#include "base/planted.h"
#include "logstore/pool.h"

namespace lockstep::logstore {

struct WritePath::Piece {
  Append append;
  WritePath* path = nullptr;
  block::Request* request = nullptr;              // of a client, or
  std::move_only_function<void(Status)> written;  // of WriteBlocks
  Piece* next_free = nullptr;
};

namespace {

// In Request::engine_scratch: pieces that have not completed.
uint64_t& Outstanding(block::Request& request) {
  return request.engine_scratch[0];
}

// Of one entry: 16 GiB. A fold has to name every chunk under it that is mapped, so this bounds what a fold takes.
constexpr uint64_t kMaxHoleBlocks = 4u << 20;

}  // namespace

WritePath::WritePath(LogPool& pool) : pool_(pool) {}
WritePath::~WritePath() {
  LS_ASSERT(in_flight_ == 0);
}

WritePath::Piece& WritePath::TakePiece() {
  if (!free_) {
    pieces_.push_back(std::make_unique<Piece>());
    free_ = pieces_.back().get();
    free_->path = this;
    free_->append.context = free_;
    free_->append.done = [](Append& a) {
      auto* piece = static_cast<Piece*>(a.context);
      piece->path->PieceDone(*piece);
    };
  }
  Piece& piece = *free_;
  free_ = piece.next_free;
  piece.append.buffers.clear();
  piece.append.entry = {};
  return piece;
}

void WritePath::CompleteLater(block::Request& request, Status status) {
  request.status = std::move(status);
  pool_.seams().loop.Post([&request] { request.done(request); });
}

bool WritePath::Holds(const VolumeRecord& volume, const block::Request& request) const {
  const uint64_t first = request.offset / kBlockSize, blocks = request.length / kBlockSize;
  return held_ && held_->volume == volume.id && first < held_->first_block + held_->blocks &&
         held_->first_block < first + blocks;
}

void WritePath::Write(const VolumeRecord& volume, block::Request& request) {
  if (request.op != block::Request::Op::kWrite && request.length > kMaxHoleBlocks * kBlockSize)
    return Spawn(PunchInParts(volume.id, request));
  if (Holds(volume, request)) return held_->waiting.push_back(&request);
  Queue(volume, request);
}

Status WritePath::CheckSpace(const block::Request& request) const {
  const uint32_t blocks = static_cast<uint32_t>(request.length / kBlockSize);
  if (request.op == block::Request::Op::kWrite)
    return pool_.writer().CheckSpace(blocks / pool_.writer().max_entry_blocks() + 1, blocks,
                                      LogWriter::Use::kData);
  // Holes free space, so they may use the reserve: a full pool can be emptied by discarding.
  return pool_.writer().CheckSpace(static_cast<uint32_t>(request.length / kBlockSize / kMaxHoleBlocks) + 1, 0,
                                    LogWriter::Use::kStructure);
}

Status WritePath::StillFits(const VolumeRecord* volume, const block::Request& request) {
  if (!volume) return NotFound("the volume has been deleted");
  if (request.offset > volume->size || request.length > volume->size - request.offset)
    return InvalidArgument("the volume has been made smaller, and does not reach so far any more");
  return {};
}

Task<void> WritePath::PunchInParts(block::VolumeId id, block::Request& request) {
  Status status;
  for (uint64_t done = 0; done < request.length && status.ok();) {
    block::Request part;
    part.op = request.op;
    part.offset = request.offset + done;
    part.length = std::min(request.length - done, kMaxHoleBlocks * kBlockSize);
    done += part.length;
    part.fua = request.fua && done == request.length;
    co_await SuspendWith([&](auto resume) {
      using Resume = decltype(resume);
      part.context = new Resume(std::move(resume));
      part.done = [](block::Request& r) {
        const std::unique_ptr<Resume> go_on(static_cast<Resume*>(r.context));
        (*go_on)();
      };
      const VolumeRecord* volume = pool_.structure().Find(id);
      if (const Status fits = StillFits(volume, part); fits.ok())
        Write(*volume, part);
      else
        CompleteLater(part, fits);
    });
    status = part.status;
  }
  request.status = status;
  request.done(request);
}

bool WritePath::MayWait(const block::Request& request, const Status& room) const {
  if (room.code() == Code::kNoSpace) return pool_.cleaner().CanHelp();
  return room.ok() && request.op == block::Request::Op::kWrite && !pool_.cleaner().Admits();
}

void WritePath::Queue(const VolumeRecord& volume, block::Request& request) {
  pool_.history().Stamp(request.op != block::Request::Op::kWrite);
  // Whoever comes later waits behind those who wait, so that writes enter the log in the order in which they came.
  if (!waiting_.empty()) return waiting_.push_back({volume.id, &request});
  Status room = CheckSpace(request);
  if (MayWait(request, room)) {
    waiting_.push_back({volume.id, &request});
    return WaitForSpace();
  }
  if (!room.ok()) return CompleteLater(request, std::move(room));
  Enter(volume.top, request);
}

void WritePath::WaitForSpace() {
  pool_.cleaner().WaitForSpace([this](Status freed) { GoOn(freed); });
}

void WritePath::GoOn(const Status& freed) {
  while (!waiting_.empty()) {
    const auto [id, request] = waiting_.front();
    pool_.history().Stamp(request->op != block::Request::Op::kWrite);
    const VolumeRecord* volume = pool_.structure().Find(id);
    Status room = StillFits(volume, *request);
    if (room.ok()) room = CheckSpace(*request);
    if (freed.ok() && MayWait(*request, room)) return WaitForSpace();
    waiting_.pop_front();
    // Its range may have been taken hold of while it waited: a copy must not come after it in the log.
    if (room.ok() && Holds(*volume, *request) && !LS_PLANTED(14))
      held_->waiting.push_back(request);
    else if (room.ok())
      Enter(volume->top, *request);
    else
      CompleteLater(*request, std::move(room));
  }
}

void WritePath::Enter(LayerId layer, block::Request& request) {
  request.status = {};
  Outstanding(request) = 0;
  ++in_flight_;
  if (request.op == block::Request::Op::kWrite)
    QueueData(layer, request);
  else
    QueueHoles(layer, request);
}

void WritePath::QueueData(LayerId layer, block::Request& request) {
  const uint32_t most = pool_.writer().max_entry_blocks();
  uint64_t block = request.offset / kBlockSize;
  const uint64_t end = block + request.length / kBlockSize;
  size_t index = 0, used = 0;  // where in the request's buffers the next piece begins
  while (block < end) {
    Piece& piece = TakePiece();
    piece.request = &request;
    const uint32_t count = static_cast<uint32_t>(std::min<uint64_t>(most, end - block));
    piece.append.entry = {EntryType::kWrite, layer, block, count, 0};
    for (uint64_t need = uint64_t{count} * kBlockSize; need != 0;) {
      const io::Buffer& from = request.buffers[index];
      const size_t take = std::min<uint64_t>(need, from.size - used);
      piece.append.buffers.push_back({from.data + used, take});
      used += take;
      need -= take;
      if (used == from.size) {
        ++index;
        used = 0;
      }
    }
    block += count;
    ++Outstanding(request);
    pool_.writer().Append(piece.append);
  }
}

void WritePath::QueueHoles(LayerId layer, block::Request& request) {
  uint64_t block = request.offset / kBlockSize;
  const uint64_t end = block + request.length / kBlockSize;
  while (block < end) {
    Piece& piece = TakePiece();
    piece.request = &request;
    const uint32_t count = static_cast<uint32_t>(std::min(kMaxHoleBlocks, end - block));
    piece.append.entry = {EntryType::kHole, layer, block, count, 0};
    block += count;
    ++Outstanding(request);
    pool_.writer().Append(piece.append);
  }
}

void WritePath::WriteBlocks(LayerId layer, uint64_t block, std::span<const io::Buffer> buffers,
                            std::move_only_function<void(Status)> done) {
  uint32_t count = 0;
  for (const io::Buffer& b : buffers) count += static_cast<uint32_t>(b.size / kBlockSize);
  LS_ASSERT(count <= pool_.writer().max_entry_blocks());
  pool_.history().Stamp(false);
  if (Status room = pool_.writer().CheckSpace(1, count, LogWriter::Use::kData); !room.ok()) {
    pool_.seams().loop.Post([done = std::move(done), room]() mutable { done(room); });
    return;
  }
  Piece& piece = TakePiece();
  piece.request = nullptr;
  piece.written = std::move(done);
  piece.append.entry = {EntryType::kWrite, layer, block, count, 0};
  piece.append.buffers.assign(buffers.begin(), buffers.end());
  ++in_flight_;
  pool_.writer().Append(piece.append);
}

void WritePath::PieceDone(Piece& piece) {
  const Append& a = piece.append;
  Status status = a.status;
  if (status.ok()) pool_.Record(a.entry, a.sequence, a.location, a.crcs);
  block::Request* request = std::exchange(piece.request, nullptr);
  auto written = std::exchange(piece.written, {});
  piece.next_free = free_;
  free_ = &piece;
  if (!request) {
    --in_flight_;
    return written(std::move(status));
  }
  if (!status.ok()) request->status = std::move(status);
  if (--Outstanding(*request) == 0) RequestDone(*request);
}

void WritePath::RequestDone(block::Request& request) {
  if (!request.fua || !request.status.ok() || LS_PLANTED(17)) {
    --in_flight_;
    return request.done(request);
  }
  // Durable means: with everything before it. So a write with fua is a write and a sync of the whole log.
  pool_.writer().Sync([this, &request](Status status) {
    --in_flight_;
    request.status = std::move(status);
    request.done(request);
  });
}

void WritePath::Flush(block::Request& request) {
  ++in_flight_;
  pool_.writer().Sync([this, &request](Status status) {
    --in_flight_;
    request.status = std::move(status);
    request.done(request);
  });
}

void WritePath::Hold(block::VolumeId volume, uint64_t first_block, uint64_t blocks) {
  LS_ASSERT(!held_);
  held_ = std::make_unique<Held>(Held{volume, first_block, blocks, {}});
}

void WritePath::Unhold() {
  const std::unique_ptr<Held> held = std::move(held_);
  for (block::Request* request : held->waiting) {
    const VolumeRecord* volume = pool_.structure().Find(held->volume);
    if (Status fits = StillFits(volume, *request); fits.ok())
      Write(*volume, *request);
    else
      CompleteLater(*request, std::move(fits));
  }
}

}  // namespace lockstep::logstore
