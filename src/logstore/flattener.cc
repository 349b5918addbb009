#include "logstore/flattener.h"

#include <algorithm>

#include "logstore/pool.h"

namespace lockstep::logstore {
namespace {

// What is cloned together, or deleted again at once, is looked at together.
constexpr io::Duration kFlattenDelay = std::chrono::milliseconds(500);
constexpr uint64_t kLastPossibleChunk = block::kMaxVolumeSize / kBlockSize / kChunkBlocks;
constexpr int kRestsPerPiece = 3;  // times as long as a piece took
constexpr io::Duration kLeastRestOfFlattener = std::chrono::milliseconds(1);
constexpr io::Duration kRestWhenShort = std::chrono::milliseconds(100);

struct Made {
  std::vector<std::pair<uint64_t, Shortcut>> shortcuts;
  uint64_t end_chunk = 0;
};

// Blocking.
Result<Made> MakePiece(const Index& index, const ViewChain& chain, uint64_t first, size_t chunks_at_once) {
  uint64_t last = kLastPossibleChunk;
  Made made;
  LS_ASSIGN_OR_RETURN(const auto chunks, ChunksOf(index, chain, first, last, chunks_at_once));
  made.shortcuts.reserve(chunks.size());
  for (const uint64_t chunk : chunks) {
    LS_ASSIGN_OR_RETURN(const Shortcut holders, HoldersIn(index, chain, chunk));
    made.shortcuts.emplace_back(chunk, holders);
  }
  made.end_chunk = last == kLastPossibleChunk ? kAllChunks : last + 1;
  return made;
}

}  // namespace

Flattener::~Flattener() {
  LS_ASSERT(!running_ && timer_ == io::TimerId::kNone);
}

void Flattener::Look() {
  if (running_ || stopping_ || pool_.structure().deep().empty()) return;
  running_ = true;
  timer_ = pool_.seams().loop.After(kFlattenDelay, [this] {
    timer_ = io::TimerId::kNone;
    Spawn(Run());
  });
}

Task<void> Flattener::Stop() {
  stopping_ = true;
  if (timer_ != io::TimerId::kNone) {
    pool_.seams().loop.Cancel(std::exchange(timer_, io::TimerId::kNone));
    running_ = false;
  }
  if (running_) co_await SuspendWith([this](auto resume) { stopped_ = std::move(resume); });
}

LayerId Flattener::NextLayer() {
  // The lowest first: those above it may not be deep any more then.
  while (!pool_.structure().deep().empty()) {
    const LayerId layer = *pool_.structure().deep().begin();
    if (pool_.structure().IsDeep(layer)) return layer;
    pool_.NotDeep(layer);
  }
  return kNoLayer;
}

Task<void> Flattener::Run() {
  Status status;
  while (status.ok() && !stopping_) {
    const LayerId layer = NextLayer();
    if (layer == kNoLayer) break;
    if (!pool_.cleaner().Admits()) {
      co_await pool_.seams().loop.Sleep(kRestWhenShort);
      continue;
    }
    const io::Instant begin = pool_.seams().clock.Now();
    if (layer >= settled_)
      status = co_await Settle();
    else
      status = co_await Piece(layer);
    if (stopping_ || !status.ok()) break;
    const io::Duration took = pool_.seams().clock.Now() - begin;
    co_await pool_.seams().loop.Sleep(std::max(kLeastRestOfFlattener, took * kRestsPerPiece));
  }
  if (!status.ok())
    pool_.seams().log.Error("pool {}: flattening a chain of clones: {}", pool_.id().ToString(), status.message());
  running_ = false;
  if (stopped_) pool_.seams().loop.Post(std::exchange(stopped_, {}));
}

Task<Status> Flattener::Settle() {
  // The index must know of the layer first: an index that has lost it again may give its number to another one. And
  // what the layers below it held when it was made has been folded then.
  const Result<io::AsyncMutex::Guard> turn = co_await pool_.FoldAll();
  if (turn.ok()) settled_ = pool_.structure().next_layer();
  co_return turn.status();
}

Task<Status> Flattener::Piece(LayerId id) {
  const Layer& layer = pool_.structure().layer(id);
  const ViewChain chain = ChainOf(pool_.structure(), layer.parent, layer.parent_at);
  const uint64_t first = layer.shortcuts;
  std::unique_ptr<Index> index = pool_.map().index().Freeze();  // of the same moment as the chain
  Result<Made> made = Internal("not made");
  auto make = [&] {
    made = MakePiece(*index, chain, first, chunks_at_once_);
    index.reset();
  };
  co_await pool_.seams().executor.Call(pool_.seams().loop, make);
  LS_CO_RETURN_IF_ERROR(made.status());
  co_return co_await Write(id, made->shortcuts, made->end_chunk);
}

Task<Status> Flattener::Write(LayerId id, const std::vector<std::pair<uint64_t, Shortcut>>& made, uint64_t end_chunk) {
  const auto turn = co_await pool_.HoldFolds();
  // What was read of layers that have died meanwhile may be wrong; if this one lives, so do those below it.
  if (!pool_.structure().HasLayer(id)) co_return Status();
  const Layer& layer = pool_.structure().layer(id);
  const LayerCounts counts{id, layer.used_blocks, layer.written, end_chunk};
  Status written;
  auto write = [&] {
    Index::Batch batch;
    for (const auto& [chunk, shortcut] : made) batch.PutShortcut({id, chunk}, shortcut);
    batch.PutLayer(counts);
    written = pool_.map().index().Write(batch);
  };
  co_await pool_.seams().executor.Call(pool_.seams().loop, write);
  if (written.ok()) pool_.SetShortcuts(id, end_chunk);
  co_return written;
}

}  // namespace lockstep::logstore
