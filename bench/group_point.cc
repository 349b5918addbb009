// Group snapshots while writers run: how long one takes, and how long it holds up a write.
//
//   bench_group_point --file=FILE --index=DIR [--members=1000] [--snapshots=20] [--depth=8] [--volume=16M]
//                     [--clones=1]
//
// FILE must exist, fully written; it becomes a new pool of `members` volumes. `depth` random 4 KiB writes are kept in
// flight over all of them. A snapshot is one transaction: a point of all volumes and a clone of each, or
// with --clones=0 the point alone. Prints one line
// of JSON; a write counts as "during" when it was in flight at some moment of a snapshot, else as "before".
#include <algorithm>

#include <fmt/format.h>

#include "bench/arguments.h"
#include "bench/load.h"
#include "bench/session.h"

namespace lockstep::bench {
namespace {

constexpr auto kPause = std::chrono::milliseconds(100);  // of plain load around each snapshot

struct Plan {
  uint64_t members = 0, snapshots = 0, depth = 0, volume_size = 0;
  bool clones = true;
};

struct Outcome {
  std::vector<Sample> snapshots;
  std::vector<Sample> before, during;  // writes
};

// A snapshot of all and the transaction that takes it away again.
struct Snapshot {
  block::Transaction take, drop;
};

Snapshot Describe(Session& session, const std::vector<std::shared_ptr<block::Volume>>& volumes,
                  bool clones) {
  const block::PointId point{session.env().random().NextUuid()};
  Snapshot s{{session.NewTransaction(), {}}, {session.NewTransaction(), {}}};
  block::TakePoint take{point, {}};
  for (const auto& volume : volumes) take.volumes.push_back(volume->id());
  s.take.changes.push_back(take);
  const std::vector<block::VolumeId> cloned = clones ? take.volumes : std::vector<block::VolumeId>();
  for (const block::VolumeId source : cloned) {
    const block::VolumeId clone{session.env().random().NextUuid()};
    s.take.changes.push_back(block::Clone{point, source, clone, 0});
    s.drop.changes.push_back(block::DeleteVolume{clone});
  }
  s.drop.changes.push_back(block::ReleasePoint{point});
  return s;
}

void Sort(const std::vector<Sample>& writes, Outcome& outcome) {
  for (const Sample& w : writes) {
    const bool met = std::any_of(outcome.snapshots.begin(), outcome.snapshots.end(), [&w](const Sample& s) {
      return w.begin < s.end() && s.begin < w.end();
    });
    (met ? outcome.during : outcome.before).push_back(w);
  }
}

Task<Status> TakeSnapshots(Session& session, std::vector<Snapshot> snapshots, std::vector<Sample>& taken) {
  for (Snapshot& snapshot : snapshots) {
    co_await session.loop().Sleep(kPause);
    const io::Instant begin = session.env().clock().Now();
    const Status done = co_await session.pool().Apply(std::move(snapshot.take));
    taken.push_back({begin, session.env().clock().Now() - begin});
    LS_CO_RETURN_IF_ERROR(done);
    co_await session.loop().Sleep(kPause);
    const Status dropped = co_await session.pool().Apply(std::move(snapshot.drop));
    LS_CO_RETURN_IF_ERROR(dropped);
  }
  co_return Status();
}

Task<Result<Outcome>> Measure(Session& session, Plan plan) {
  LS_CO_ASSIGN_OR_RETURN(const auto volumes, co_await session.AddVolumes(plan.members, plan.volume_size));
  Shape shape;
  shape.depth = static_cast<unsigned>(plan.depth);
  // Described beforehand: making up ids on this loop is not to be seen in the writers' latency.
  std::vector<Snapshot> snapshots;
  for (uint64_t i = 0; i < plan.snapshots; ++i) snapshots.push_back(Describe(session, volumes, plan.clones));
  Load load(volumes, session.env().clock(), shape, 1);
  load.Start();
  Outcome outcome;
  const Status status = co_await TakeSnapshots(session, std::move(snapshots), outcome.snapshots);
  co_await SuspendWith([&load](auto resume) { load.Stop(std::move(resume)); });
  LS_CO_RETURN_IF_ERROR(status);
  LS_CO_RETURN_IF_ERROR(load.status());
  Sort(load.samples(), outcome);
  co_return outcome;
}

void Print(const Outcome& o, uint64_t members) {
  const Latency snapshot = Summarize(o.snapshots), before = Summarize(o.before), during = Summarize(o.during);
  fmt::print("{{\"members\": {}, \"snapshots\": {}, \"median_us\": {:.1f}, \"longest_us\": {:.1f}, "
             "\"writes_before\": {}, \"before_median_us\": {:.1f}, \"before_p99_us\": {:.1f}, "
             "\"before_longest_us\": {:.1f}, \"writes_during\": {}, \"during_median_us\": {:.1f}, "
             "\"during_longest_us\": {:.1f}}}\n",
             members, o.snapshots.size(), snapshot.median, snapshot.longest, o.before.size(), before.median, before.p99,
             before.longest, o.during.size(), during.median, during.longest);
}

Status Main(const Arguments& arguments) {
  Plan plan;
  LS_ASSIGN_OR_RETURN(plan.members, arguments.Number("members"));
  LS_ASSIGN_OR_RETURN(plan.snapshots, arguments.Number("snapshots"));
  LS_ASSIGN_OR_RETURN(plan.depth, arguments.Number("depth"));
  LS_ASSIGN_OR_RETURN(plan.volume_size, arguments.Number("volume"));
  LS_ASSIGN_OR_RETURN(const uint64_t clones, arguments.Number("clones"));
  plan.clones = clones != 0;
  LS_ASSIGN_OR_RETURN(const auto session, Session::Create({arguments.Text("file"), arguments.Text("index")}));
  LS_ASSIGN_OR_RETURN(const Outcome outcome, RunOn(session->loop(), Measure(*session, plan)));
  Print(outcome, plan.members);
  return {};
}

}  // namespace
}  // namespace lockstep::bench

int main(int argc, char** argv) {
  using namespace lockstep;
  const auto arguments = bench::Arguments::Parse(std::span(argv + 1, static_cast<size_t>(argc - 1)),
                                                 {{"file", ""},
                                                  {"index", ""},
                                                  {"members", "1000"},
                                                  {"snapshots", "20"},
                                                  {"depth", "8"},
                                                  {"volume", "16M"},
                                                  {"clones", "1"}});
  const Status status = arguments.ok() ? bench::Main(*arguments) : arguments.status();
  if (!status.ok()) fmt::print(stderr, "bench_group_point: {}\n", status.ToString());
  return status.ok() ? 0 : 1;
}
