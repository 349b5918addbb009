// What a pool consists of: volumes, layers and points. A pure state machine: its state after a transaction follows from
// the state before and the transaction alone, so recovery replays transactions from the log and gets the same layers.
//
// A layer is a map of blocks with a parent (layer, position): what it does not hold itself is what the parent held
// then. A volume is a name for its top layer, the only one that it writes. Taking a point retains a position of the
// volumes' top layers; cloning makes an empty layer on such a position; a revert gives the volume a new, empty top
// layer on one. None of these touches a block.
//
// A volume with a window keeps every position of it: those of the layers that were its top meanwhile. So a layer also
// has a range of positions that are retained without being listed.
//
// A layer lives while it is the top of a volume or some position of it is retained (by a point, a child layer, a
// window).
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/codec.h"
#include "block/pool.h"
#include "logstore/format.h"
#include "logstore/shortcut.h"

namespace lockstep::logstore {

inline constexpr LayerId kNoLayer = 0;
// A chain is deep when it takes more layers than this to find what a layer does not hold itself.
inline constexpr uint32_t kMostLayers = 4;
inline constexpr SequenceNumber kNow = UINT64_MAX;

struct Layer {
  LayerId id = kNoLayer;
  LayerId parent = kNoLayer;
  SequenceNumber parent_at = 0;
  uint32_t tops = 0;                     // volumes whose top layer this is: 0 or 1
  std::vector<SequenceNumber> retained;  // positions that points and children hold, ascending, with repetitions
  uint64_t used_blocks = 0;              // mapped by the layer itself as of the last fold; kept in the index
  // No entry later than this one has written to it; kNow: nobody knows. So what it holds as of this position or a later
  // one is what it holds now. In the index as of the last fold.
  SequenceNumber written = 0;
  // Its chunks before this one have shortcuts (shortcut.h), in the index; kAllChunks: all have.
  uint64_t shortcuts = 0;
  // A window retains all positions of these, both included; kNow: and those to come. None when keep_from > keep_to.
  SequenceNumber keep_from = kNow, keep_to = 0;

  bool flat() const { return parent == kNoLayer || shortcuts == kAllChunks; }
  bool keeps() const { return keep_from <= keep_to; }
  // Whether the window does, for some p of [from, to).
  bool Keeps(SequenceNumber from, SequenceNumber to) const {
    return keeps() && to > keep_from && std::max(from, keep_from) <= std::min(to - 1, keep_to);
  }
  // 0: none is.
  SequenceNumber NewestRetained() const {
    return std::max(retained.empty() ? 0 : retained.back(), keeps() ? keep_to : 0);
  }
  // Whether some retained position p satisfies from <= p < to: a version that lived in [from, to) is still visible.
  bool Retains(SequenceNumber from, SequenceNumber to) const;
  // Whether anything sees a version that lived in [birth, death); death == kNow: it has not been replaced.
  bool Holds(SequenceNumber birth, SequenceNumber death) const {
    return (tops != 0 && death == kNow) || Retains(birth, death);
  }
};

// What the index keeps of a layer beside its blocks.
struct LayerCounts {
  LayerId layer = kNoLayer;
  uint64_t used = 0;              // blocks that it maps itself
  SequenceNumber written = kNow;  // Layer::written
  uint64_t shortcuts = 0;         // Layer::shortcuts
};

// History of a layer that may have lost the last position that saw it: what died as entries up to `upto`, from (death,
// block, birth) on in that order.
struct DeathSpan {
  LayerId layer = kNoLayer;
  SequenceNumber death = 0;
  uint64_t block = 0;
  SequenceNumber birth = 0;
  SequenceNumber upto = 0;
};

// Of a layer that is no top any more: what its volume wrote behind the last retained position, in chunks from `chunk`
// on.
struct LayerTail {
  LayerId layer = kNoLayer;
  uint64_t chunk = 0;
};

// What the index may still hold although nothing sees it any more; of each kind the oldest first.
struct SweepWork {
  std::vector<LayerId> dropped;      // layers that have died
  std::vector<DeathSpan> forgotten;  // history that releases have let go
  std::vector<LayerTail> tails;
  bool empty() const { return dropped.empty() && forgotten.empty() && tails.empty(); }
};

struct PointMember {
  block::VolumeId volume;
  LayerId layer = kNoLayer;
  uint64_t size = 0;
};
struct PointRecord {
  block::PointId id;
  SequenceNumber position = 0;
  LogPosition log;                                      // where the batch that took it begins, to walk the log from
  std::vector<PointMember> members;                     // in the order in which they were named
  std::unordered_map<block::VolumeId, uint32_t> index;  // of members
};

// What a volume was from an entry on.
struct Era {
  SequenceNumber from = 0;
  LayerId layer = kNoLayer;
  uint64_t size = 0;
};

struct VolumeRecord {
  block::VolumeId id;
  LayerId top = kNoLayer;
  uint64_t size = 0;
  block::HistoryWindow window = {};
  SequenceNumber history_from = 0;  // 0: it has no window
  io::WallTime history_since = {};
  std::vector<Era> eras = {};  // of its window, the present one last; none without

  // REQUIRES: `at` lies in the window.
  const Era& EraAt(SequenceNumber at) const;
};

// Whose a layer is. A layer is the top of one volume and of no other, for as long as it is a top at all.
struct LayerOwner {
  block::VolumeId volume;
  SequenceNumber until = kNow;  // the entry that ended it: what the log holds of the layer from there on nobody sees
};

class Structure {
 public:
  // Whether `transaction` can be applied now; the sentence names the change that cannot.
  // `last`: the newest position, before the transaction.
  Status Validate(const block::Transaction& transaction, SequenceNumber last) const;
  // `now`: when; never before the last one's. REQUIRES: Validate said OK.
  void Apply(const block::Transaction& transaction, SequenceNumber at, io::WallTime now);

  bool WasApplied(block::TransactionId id) const { return applied_set_.contains(id); }

  const std::unordered_map<block::VolumeId, VolumeRecord>& volumes() const { return volumes_; }
  const std::unordered_map<block::PointId, PointRecord>& points() const { return points_; }
  const VolumeRecord* Find(block::VolumeId id) const;
  const PointRecord* Find(block::PointId id) const;
  const Layer& layer(LayerId id) const { return layers_.at(id); }
  bool HasLayer(LayerId id) const { return layers_.contains(id); }
  const Layer* FindLayer(LayerId id) const {
    const auto it = layers_.find(id);
    return it == layers_.end() ? nullptr : &it->second;
  }
  const std::map<LayerId, Layer>& layers() const { return layers_; }
  // Whose the layer is or was; null when that has been forgotten, which it may be for layers that ended before entry
  // owners_known_from().
  const LayerOwner* OwnerOf(LayerId id) const;
  SequenceNumber owners_known_from() const { return owners_known_from_; }
  // Nobody will ask for owners of layers that ended before this entry.
  void ForgetOwnersBefore(SequenceNumber from);
  // For one decoded from a checkpoint of a version that did not write them: it stands before this entry.
  void RestoreOwners(SequenceNumber position) {
    if (owners_known_from_ == kNow) owners_known_from_ = position;
  }
  // The newest retained position of each layer that has one; of layers that died and are not swept yet, kNow.
  std::unordered_map<LayerId, SequenceNumber> NewestRetainedOfLayers() const;
  static const PointMember* Member(const PointRecord& point, block::VolumeId volume);
  // Volumes that have a window, and about when the oldest of those begins; `otherwise` when there is none.
  const std::set<block::VolumeId>& windows() const { return windows_; }
  io::WallTime OldestHistory(io::WallTime otherwise) const;

  // Learned when the batch that took the point has been written.
  void SetLogPosition(block::PointId id, const LogPosition& log);
  void AddUsedBlocks(LayerId layer, int64_t delta);
  // The entry has written to the layer. Null: which has died.
  const Layer* Wrote(LayerId layer, SequenceNumber at);
  // As the index has it; after Decode.
  void RestoreLayer(const LayerCounts& counts);
  // Layers below which the chain is deep, ascending; some of them may be so no more.
  const std::set<LayerId>& deep() const { return deep_; }
  bool IsDeep(LayerId layer) const;
  // It has shortcuts up to this chunk now, or it is not deep any more.
  void SetShortcuts(LayerId layer, uint64_t end_chunk);
  void NotDeep(LayerId layer) { deep_.erase(layer); }
  // Every layer that there has been so far is below this one.
  LayerId next_layer() const { return next_layer_; }
  // Of all layers that are tops, together.
  uint64_t top_blocks() const { return top_blocks_; }
  const SweepWork& to_sweep() const { return sweep_; }
  // `done`, the oldest of what was to be swept, has been, but for what is left.
  void Swept(const SweepWork& done, const SweepWork& left);
  // Everything that layers which are no tops any more hold behind their last retained position is to be swept (again):
  // a rebuilt index has found what is left of it.
  void SweepTailsAgain();
  // Counts changes, so that a checkpoint knows whether it has to be written again.
  uint64_t version() const { return version_; }
  // Transactions applied since it was made or decoded.
  uint64_t transactions() const { return transactions_; }

  // All of it: the base, then the points.
  std::string Encode() const;
  std::string EncodeBase() const;
  // The points that are not as they were at the last call, each as Encode has it; of those that are no more, nothing.
  std::vector<std::pair<block::PointId, std::string>> TakeChangedPoints();
  // The next TakeChangedPoints answers all.
  void AllPointsChanged();
  static Result<Structure> Decode(std::string_view bytes);

 private:
  void Do(const block::CreateVolume& c, SequenceNumber at);
  void Do(const block::DeleteVolume& c, SequenceNumber at);
  void Do(const block::ResizeVolume& c, SequenceNumber at);
  void Do(const block::TakePoint& c, SequenceNumber at);
  void Do(const block::ReleasePoint& c, SequenceNumber at);
  void Do(const block::Clone& c, SequenceNumber at);
  void Do(const block::SetContent& c, SequenceNumber at);
  void Do(const block::SetHistory& c, SequenceNumber at);
  void Do(const block::TrimHistory& c, SequenceNumber at);
  // structure_history.cc
  void BeginEra(VolumeRecord& volume, SequenceNumber at);
  void CloseWindow(VolumeRecord& volume, SequenceNumber now);
  void LoseKept(LayerId layer, SequenceNumber now);
  void MoveKept(LayerId layer, SequenceNumber from, SequenceNumber now);
  static std::string EncodePoint(const PointRecord& point);
  bool DecodePoint(Decoder& d);
  void EncodeWindows(Encoder& e) const;
  bool DecodeWindows(Decoder& d, uint8_t version);
  bool DecodeOwners(Decoder& d, uint8_t version);
  void DecodeSpans(Decoder& d, uint8_t version);
  void DecodeTails(Decoder& d, uint8_t version);
  LayerId NewLayer(LayerId parent, SequenceNumber parent_at);
  void Retain(LayerId layer, SequenceNumber at);
  // `now`: the entry that does it.
  void Unretain(LayerId layer, SequenceNumber at, SequenceNumber now);
  void Untop(block::VolumeId volume, LayerId layer, SequenceNumber now);
  void DropIfDead(LayerId layer, SequenceNumber now);
  void Release(Layer& layer, SequenceNumber at, SequenceNumber now);

  std::unordered_map<block::VolumeId, VolumeRecord> volumes_;
  std::unordered_map<block::PointId, PointRecord> points_;
  std::unordered_set<block::PointId> changed_points_;
  std::map<LayerId, Layer> layers_;
  std::set<LayerId> deep_;
  SweepWork sweep_;
  std::unordered_map<LayerId, LayerOwner> owners_;
  std::deque<LayerId> ended_;  // layers of owners_ that are no tops any more, in the order in which they ended
  SequenceNumber owners_known_from_ = 0;
  std::deque<block::TransactionId> applied_;  // the newest kAppliedKept
  std::unordered_set<block::TransactionId> applied_set_;
  LayerId next_layer_ = 1;
  std::set<block::VolumeId> windows_;
  io::WallTime now_;  // while a transaction is applied
  uint64_t version_ = 0, transactions_ = 0, top_blocks_ = 0;
};

// A transaction as an entry of the log. One without changes only tells the time.
struct LoggedTransaction {
  block::Transaction transaction;
  io::WallTime time = {};  // when it was appended; never: nobody had a window then
};

// The payload of a kTransaction entry.
std::string EncodeTransaction(const LoggedTransaction& logged);
Result<LoggedTransaction> DecodeTransaction(std::string_view bytes);

}  // namespace lockstep::logstore
