// What a long past costs: many points of a volume, or a deep chain of clones.
//
//   bench_past --file=FILE --index=DIR [--points=10000] [--overwrites=160000] [--chain=0] [--each=16] [--volume=1G]
//              [--seconds=3] [--bytes=256M] [--changes=200] [--cache=64M]
//
// FILE must exist, fully written; it becomes a new pool. Its volume is written once from front to back, then with
// --overwrites random 4 KiB writes, and while these are made --points points are taken, evenly spread. With --chain,
// the same number of times a point of the newest volume is taken, cloned, and --each random blocks of the clone
// written; everything is then measured on the last clone, when the engine says that it has nothing to tidy up any
// more.
//
// Prints a line of JSON: how long opening takes, for the first time (which takes in what the index wrote last before
// it was closed, as after a crash) and again; how long tidying up took; random reads of the volume and of the point in
// the middle, and random writes (all 4 KiB, depth 32; --bytes of writes at most), the same while every 10 ms a point
// is taken and another released; and what taking a point, and releasing any one of all, takes in the median of
// --changes.
#include <fmt/format.h>

#include <algorithm>
#include <random>
#include <string>

#include "bench/arguments.h"
#include "bench/cpu.h"
#include "bench/load.h"
#include "bench/session.h"

namespace lockstep::bench {
namespace {

struct Plan {
  uint64_t points = 0, overwrites = 0, chain = 0, each = 0, volume = 0, bytes = 0, changes = 0;
  io::Duration limit = {};
};

struct Speed {
  double iops = 0, cpu_us = 0;
  Latency latency;
};

class Past {
 public:
  Past(Session& session, const Plan& plan) : session_(session), plan_(plan) {}

  Task<Status> Run() {
    LS_CO_RETURN_IF_ERROR(co_await Prepare());
    LS_CO_RETURN_IF_ERROR(co_await session_.pool().Flush());
    LS_CO_ASSIGN_OR_RETURN(const io::Duration first, co_await session_.Reopen());
    LS_CO_ASSIGN_OR_RETURN(const io::Duration opening, co_await session_.Reopen());
    const io::Instant opened = session_.env().clock().Now();
    LS_CO_RETURN_IF_ERROR(co_await Tidied());
    const io::Duration tidying = session_.env().clock().Now() - opened;
    LS_CO_ASSIGN_OR_RETURN(const auto volume, session_.pool().OpenVolume(volume_));
    LS_CO_ASSIGN_OR_RETURN(const Speed reads, co_await Measure(volume, false, uint64_t{64} << 30));
    Speed point_reads;
    if (!points_.empty()) {
      LS_CO_ASSIGN_OR_RETURN(const auto point, session_.pool().OpenPoint(points_[points_.size() / 2], volume_));
      LS_CO_ASSIGN_OR_RETURN(point_reads, co_await Measure(point, false, uint64_t{64} << 30));
    }
    LS_CO_ASSIGN_OR_RETURN(const Speed writes, co_await Measure(volume, true, plan_.bytes));
    LS_CO_RETURN_IF_ERROR(co_await session_.pool().Flush());
    changing_ = true;
    Spawn(Change());
    auto busy = co_await Measure(volume, true, plan_.bytes);
    changing_ = false;
    co_await SuspendWith([this](auto resume) { changed_ = std::move(resume); });
    LS_CO_RETURN_IF_ERROR(busy.status());
    LS_CO_RETURN_IF_ERROR(failure_);
    LS_CO_RETURN_IF_ERROR(co_await session_.pool().Flush());
    std::vector<Sample> takes, releases;
    for (uint64_t i = 0; i < plan_.changes; ++i) LS_CO_RETURN_IF_ERROR(co_await Take(&takes));
    for (uint64_t i = 0; i < plan_.changes; ++i) LS_CO_RETURN_IF_ERROR(co_await Release(&releases));
    fmt::print("{{\"first_opening_ms\": {:.1f}, \"opening_ms\": {:.1f}, \"tidying_ms\": {:.1f}, "
               "{}, {}, {}, {}, {}, {}}}\n",
               Ms(first), Ms(opening), Ms(tidying),
               Text("reads", reads), Text("point_reads", point_reads), Text("writes", writes),
               Text("busy_writes", *busy), Text("take", Summarize(takes)), Text("release", Summarize(releases)));
    co_return Status();
  }

 private:
  static double Ms(io::Duration d) { return static_cast<double>(d.count()) / 1e6; }
  static std::string Text(const char* name, const Latency& l) {
    return fmt::format("\"{0}_us\": {1:.1f}, \"{0}_p99_us\": {2:.1f}", name, l.median, l.p99);
  }
  static std::string Text(const char* name, const Speed& s) {
    return fmt::format("\"{0}_iops\": {1:.0f}, \"{0}_cpu_us\": {2:.2f}, {3}, \"{0}_longest_us\": {4:.1f}", name, s.iops,
                       s.cpu_us, Text(name, s.latency), s.latency.longest);
  }

  Task<Status> Apply(std::vector<block::Change> changes) {
    block::Transaction transaction{session_.NewTransaction(), std::move(changes)};
    co_return co_await session_.pool().Apply(std::move(transaction));
  }
  Task<Status> Timed(block::Change change, std::vector<Sample>* samples) {
    std::vector<block::Change> changes;
    changes.push_back(std::move(change));
    const io::Instant begin = session_.env().clock().Now();
    const Status done = co_await Apply(std::move(changes));
    if (samples) samples->push_back({begin, session_.env().clock().Now() - begin});
    co_return done;
  }
  Task<Status> Take(std::vector<Sample>* samples) {
    points_.push_back({session_.env().random().NextUuid()});
    block::TakePoint take{points_.back(), {}};
    take.volumes.push_back(volume_);
    block::Change change = std::move(take);
    co_return co_await Timed(std::move(change), samples);
  }
  Task<Status> Release(std::vector<Sample>* samples) {
    std::swap(points_[random_() % points_.size()], points_.back());
    const block::PointId point = points_.back();
    points_.pop_back();
    block::Change change = block::ReleasePoint{point};
    co_return co_await Timed(std::move(change), samples);
  }

  Task<Status> Write(uint64_t blocks, uint64_t seed) {
    if (blocks == 0) co_return Status();
    LS_CO_ASSIGN_OR_RETURN(const auto volume, session_.pool().OpenVolume(volume_));
    const std::vector volumes{volume};
    Load load(volumes, session_.env().clock(), {true, true, block::kBlockSize, 32, blocks * 4096}, seed);
    co_await Await(session_.loop(), load, std::chrono::hours(1));
    co_return load.status();
  }
  Task<Status> Prepare() {
    LS_CO_ASSIGN_OR_RETURN(const auto volumes, co_await session_.AddVolumes(1, plan_.volume));
    volume_ = volumes.front()->id();
    Load fill(volumes, session_.env().clock(), {true, false, 1 << 20, 16, plan_.volume}, 1);
    co_await Await(session_.loop(), fill, std::chrono::hours(1));
    LS_CO_RETURN_IF_ERROR(fill.status());
    uint64_t done = 0;
    for (uint64_t i = 1; i <= plan_.points; ++i) {
      const uint64_t upto = plan_.overwrites * i / (plan_.points + 1);
      LS_CO_RETURN_IF_ERROR(co_await Write(upto - std::exchange(done, upto), i));
      LS_CO_RETURN_IF_ERROR(co_await Take(nullptr));
    }
    LS_CO_RETURN_IF_ERROR(co_await Write(plan_.overwrites - done, 0));
    for (uint64_t i = 0; i < plan_.chain; ++i) {
      LS_CO_RETURN_IF_ERROR(co_await Take(nullptr));
      const block::Clone clone{points_.back(), volume_, {session_.env().random().NextUuid()}, 0};
      std::vector<block::Change> changes(1, clone);
      changes.push_back(block::ReleasePoint{points_.back()});
      LS_CO_RETURN_IF_ERROR(co_await Apply(std::move(changes)));
      points_.pop_back();
      volume_ = clone.volume;
      LS_CO_RETURN_IF_ERROR(co_await Write(plan_.each, 1000 + i));
    }
    co_return Status();
  }
  Task<Status> Tidied() {
    while (session_.pool().Info().freeing || session_.pool().Info().flattening)
      co_await session_.loop().Sleep(std::chrono::milliseconds(10));
    co_return Status();
  }

  Task<Result<Speed>> Measure(std::shared_ptr<block::Volume> volume, bool write, uint64_t bytes) {
    const std::vector volumes{volume};
    Load load(volumes, session_.env().clock(), {write, true, block::kBlockSize, 32, bytes}, 7);
    const double cpu = CpuSeconds();
    const io::Instant begin = session_.env().clock().Now();
    co_await Await(session_.loop(), load, plan_.limit);
    const double took = Ms(session_.env().clock().Now() - begin) / 1e3;
    LS_CO_RETURN_IF_ERROR(load.status());
    const double count = static_cast<double>(load.samples().size());
    co_return Speed{count / took, (CpuSeconds() - cpu) * 1e6 / count, Summarize(load.samples())};
  }
  // Takes a point and releases another, again and again, beside what is measured.
  Task<void> Change() {
    while (changing_ && failure_.ok()) {
      failure_ = co_await Take(nullptr);
      if (failure_.ok()) failure_ = co_await Release(nullptr);
      co_await session_.loop().Sleep(std::chrono::milliseconds(10));
    }
    while (!changed_) co_await session_.loop().Sleep(std::chrono::milliseconds(1));
    changed_();
  }

  Session& session_;
  const Plan plan_;
  std::mt19937_64 random_{5};
  block::VolumeId volume_;
  std::vector<block::PointId> points_;
  bool changing_ = false;
  std::move_only_function<void()> changed_;
  Status failure_;
};

Task<Status> RunPast(Session& session, Plan plan) {
  Past past(session, plan);
  co_return co_await past.Run();
}

Status Main(const Arguments& arguments) {
  Plan plan;
  const std::pair<const char*, uint64_t*> numbers[] = {
      {"points", &plan.points}, {"overwrites", &plan.overwrites}, {"chain", &plan.chain},    {"each", &plan.each},
      {"volume", &plan.volume}, {"bytes", &plan.bytes},           {"changes", &plan.changes}};
  for (const auto& [name, to] : numbers) {
    LS_ASSIGN_OR_RETURN(*to, arguments.Number(name));
  }
  LS_ASSIGN_OR_RETURN(const uint64_t seconds, arguments.Number("seconds"));
  plan.limit = std::chrono::seconds(seconds);
  Session::Options options{arguments.Text("file"), arguments.Text("index"), {}};
  LS_ASSIGN_OR_RETURN(options.pool.index_cache_bytes, arguments.Number("cache"));
  LS_ASSIGN_OR_RETURN(const auto session, Session::Create(options));
  return RunOn(session->loop(), RunPast(*session, plan));
}

}  // namespace
}  // namespace lockstep::bench

int main(int argc, char** argv) {
  using namespace lockstep;
  const auto arguments = bench::Arguments::Parse(std::span(argv + 1, static_cast<size_t>(argc - 1)),
                                                 {{"file", ""},
                                                  {"index", ""},
                                                  {"points", "10000"},
                                                  {"overwrites", "160000"},
                                                  {"chain", "0"},
                                                  {"each", "16"},
                                                  {"volume", "1G"},
                                                  {"seconds", "3"},
                                                  {"bytes", "256M"},
                                                  {"changes", "200"},
                                                  {"cache", "64M"}});
  const Status status = arguments.ok() ? bench::Main(*arguments) : arguments.status();
  if (!status.ok()) fmt::print(stderr, "bench_past: {}\n", status.ToString());
  return status.ok() ? 0 : 1;
}
