// What goes wrong, and when: one plan for all disks and files of a simulated machine, so that "power is cut at I/O
// number 17" has one meaning for a node that uses both.
#pragma once

#include <array>
#include <cstdint>
#include <mutex>

namespace lockstep::sim {

enum class IoKind : uint8_t {
  kDiskRead,
  kDiskWrite,
  kDiskFlush,
  kDiskDiscard,
  kFileRead,
  kFileWrite,   // also a change of a file's size
  kFileSync,    // also of a directory
  kFileChange,  // of a directory: create, rename, remove
};
inline constexpr size_t kIoKinds = 8;

using IoKinds = uint32_t;  // bit i stands for IoKind i
constexpr IoKinds Only(IoKind kind) { return 1u << static_cast<unsigned>(kind); }
inline constexpr IoKinds kReads = Only(IoKind::kDiskRead) | Only(IoKind::kFileRead);
inline constexpr IoKinds kAllIo = (1u << kIoKinds) - 1;
inline constexpr IoKinds kChanges = kAllIo & ~kReads;
inline constexpr IoKinds kDiskIo = 0x0f;
inline constexpr IoKinds kFileIo = 0xf0;

// Thread-safe, with a mutex: RocksDB's own threads use the simulated files.
class FaultPlan {
 public:
  enum class Verdict {
    kProceed,
    kFail,  // complete with an I/O error
    kHang,  // do not complete until released (files cannot hang: they fail)
    kMisdirect,  // of a write to a disk: it lands somewhere else on it, and says that all went well
    kCut,   // power fails during this one: any part of it may reach the media; report an error
    kDead,  // there is no power: nothing reaches the media; report an error
  };

  // Counts one I/O and says what becomes of it. Called by the simulated devices.
  Verdict Next(IoKind kind);

  // Cuts the power at the n-th I/O from now that changes something (1: the next one). Reads are not counted, because
  // a crash at a read leaves what a crash at the change before it leaves. From then on every I/O gets an error and
  // nothing reaches the media any more, so that the node can unwind and be destroyed.
  void CutPowerAt(uint64_t n);
  void CutPowerNow();
  // Also forgets all that was planned.
  void RestorePower();
  bool power_is_cut() const;
  uint64_t injected() const;  // errors, hangs and misdirected writes so far

  // The n-th I/O of `kinds` from now gets an error; with FailFrom all later ones of these kinds too.
  void FailAt(uint64_t n, IoKinds kinds = kAllIo);
  void FailFrom(uint64_t n, IoKinds kinds = kAllIo);
  // The n-th I/O of `kinds` from now does not complete until SimDisk::ReleaseHung.
  void HangAt(uint64_t n, IoKinds kinds = kDiskIo);
  // The n-th write to a disk from now lands in the wrong place.
  void MisdirectAt(uint64_t n);
  // Forgets what was planned. A power cut that has happened stays.
  void Clear();

  uint64_t count(IoKind kind) const;
  uint64_t count(IoKinds kinds) const;

 private:
  // Counts down I/Os of its kinds; 0: not armed.
  struct Countdown {
    uint64_t left = 0;
    IoKinds kinds = 0;
    bool Hit(IoKind kind) { return left != 0 && (kinds & Only(kind)) != 0 && --left == 0; }
  };

  mutable std::mutex mutex_;  // guards all below
  std::array<uint64_t, kIoKinds> counts_{};
  Countdown cut_, fail_, fail_from_, hang_, misdirect_;
  IoKinds failing_ = 0;
  bool power_is_cut_ = false;
  uint64_t injected_ = 0;
};

}  // namespace lockstep::sim
