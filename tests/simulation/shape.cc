#include "tests/simulation/shape.h"

namespace lockstep::simulation {

Shape DrawShape(sim::SimRandom& r, sim::SimRandom& more) {
  Shape s;
  s.timing.shuffled = r.OneIn(2);
  if (r.OneIn(3)) {
    s.timing.min_delay = std::chrono::microseconds(20);
    s.timing.max_delay = r.OneIn(4) ? io::Duration(std::chrono::milliseconds(400)) : std::chrono::microseconds(300);
  }
  s.segments = 12 + r.Below(r.OneIn(3) ? 60 : 16);
  s.volume_blocks = 16 + r.Below(r.OneIn(3) ? 160 : 64);
  s.most_volumes = 2 + r.Below(4);
  s.most_points = 1 + r.Below(6);
  s.most_in_flight = r.OneIn(3) ? 1 + r.Below(3) : 4 + r.Below(20);
  s.lives = 2 + static_cast<int>(r.Below(4));
  s.acts = 150 + static_cast<int>(r.Below(r.OneIn(3) ? 1500 : 500));
  s.options = logstore::Options::Tiny();
  s.options.fold_weight = 6 + r.Below(40);
  s.options.checkpoint_bytes = (64 << 10) << r.Below(4);
  s.options.sweep_records = 8 + r.Below(80);
  s.options.max_batches_in_flight = 1 + static_cast<uint32_t>(r.Below(4));
  s.options.change_budget_bytes = (256 << 10) << r.Below(4);
  s.options.change_tail_bytes = s.options.change_budget_bytes / 8;
  s.options.index_memtable_bytes = r.OneIn(3) ? 1 << 20 : 64 << 10;
  s.options.index_cache_bytes = 8 << 20;  // never evicts, for what it counts is how the allocator rounds
  s.large_writes = 2 + r.Below(10);
  s.settles = 2 + r.Below(30);
  s.hot = r.OneIn(3);
  if (more.OneIn(4)) s.more_disks = 1 + more.Below(2);
  s.chains = more.OneIn(5);
  if (s.chains) s.most_volumes = 8 + more.Below(8);
  s.tight = !s.chains && more.OneIn(6);
  if (s.tight) {
    s.segments = 10 + more.Below(6);
    s.volume_blocks = 60 + more.Below(80);
    s.most_volumes = 3 + more.Below(3);
  }
  if (more.OneIn(3)) s.torn_ends = 1 + static_cast<int>(more.Below(5));
  return s;
}

}  // namespace lockstep::simulation
