// Flattening deep chains of clones in the background: layers below which a chain is deep get shortcuts (shortcut.h), so
// that reading through a hundred clones costs what reading through a few does.
//
// A layer's shortcuts are made chunk by chunk, in ascending order, in pieces that the index takes as a whole, each with
// the count of how far they are. A piece says what never changes, of a layer that the index knows from an earlier fold;
// so it may be written at any time, a crash finds some of the pieces, and the next life goes on behind them. It keeps
// to a fraction of an executor's thread, and waits while the cleaner is short of space.
#pragma once

#include <functional>

#include "base/task.h"
#include "io/loop.h"
#include "logstore/view.h"

namespace lockstep::logstore {

class LogPool;

// On the pool's loop.
class Flattener {
 public:
  Flattener(LogPool& pool, size_t chunks_at_once) : pool_(pool), chunks_at_once_(chunks_at_once) {}
  // REQUIRES: Stop has ended.
  ~Flattener();

  // After recovery, and whenever there may be new layers.
  void Look();
  // Waits for what runs.
  Task<void> Stop();
  // There are deep chains that are not flat yet.
  bool busy() const { return running_; }

 private:
  Task<void> Run();
  LayerId NextLayer();
  Task<Status> Settle();
  Task<Status> Piece(LayerId layer);
  Task<Status> Write(LayerId layer, const std::vector<std::pair<uint64_t, Shortcut>>& made, uint64_t end_chunk);

  LogPool& pool_;
  const size_t chunks_at_once_;
  LayerId settled_ = kNoLayer;  // layers below this one are in the structure that the index holds
  io::TimerId timer_ = io::TimerId::kNone;
  bool running_ = false, stopping_ = false;
  std::move_only_function<void()> stopped_;
};

}  // namespace lockstep::logstore
