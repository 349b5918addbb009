// The engine without a protocol: load through block::Volume on a pool in a real file.
//
//   bench_engine --file=FILE --index=DIR [--op=write|read] [--pattern=random|sequential] [--block=4K] [--depth=32]
//                [--seconds=3] [--bytes=1G] [--volume=1G] [--age=0] [--fill=1] [--flush=0] [--point=0]
//                [--cache=64M] [--memtable=32M]
//
// FILE must exist, fully written, and be large enough for the volume and the bytes; it becomes a new pool. Before the
// measurement the volume is written once from front to back (unless --fill=0), then, with --age, overwritten at random
// with so many bytes; with --point=1 a point of it is taken then. --flush=1: each write is followed by a flush. --cache
// and --memtable are those of the index.
//
// Prints a line of JSON. "amplification" is 1 and what the cleaner moved for each byte that was asked for; "written"
// is what the process wrote for each, all told: data, headers, moves, the index and its log, up to a flush at the end.
#include <fmt/format.h>

#include <fstream>
#include <string>

#include "bench/arguments.h"
#include "bench/cpu.h"
#include "bench/load.h"
#include "bench/session.h"

namespace lockstep::bench {
namespace {

struct Outcome {
  Latency latency;
  uint64_t operations = 0;
  double seconds = 0;
  double amplification = 1, written = 1;
  double cpu_seconds = 0;  // of the whole process: loop, executor and the kernel on their behalf
};

// Bytes that this process caused to be written to storage, as proc(5) counts them.
uint64_t WrittenBytes() {
  std::ifstream io("/proc/self/io");
  std::string name;
  uint64_t value = 0;
  while (io >> name >> value)
    if (name == "write_bytes:") return value;
  return 0;
}

struct Preparation {
  uint64_t volume_size = 0, age = 0;
  bool fill = true, point = false;
};

Task<Status> Prepare(Session& session, const std::vector<std::shared_ptr<block::Volume>>& volumes, Shape shape,
                     Preparation preparation) {
  if (preparation.fill) {
    Load fill(volumes, session.env().clock(), {true, false, 1 << 20, 16, preparation.volume_size}, 1);
    co_await Await(session.loop(), fill, std::chrono::hours(1));
    LS_CO_RETURN_IF_ERROR(fill.status());
  }
  if (preparation.age != 0) {
    Load aging(volumes, session.env().clock(), {true, true, shape.block, 32, preparation.age}, 3);
    co_await Await(session.loop(), aging, std::chrono::hours(1));
    LS_CO_RETURN_IF_ERROR(aging.status());
  }
  if (preparation.point) {
    block::Transaction take{session.NewTransaction(), {}};
    take.changes.push_back(block::TakePoint{{session.env().random().NextUuid()}, {volumes.front()->id()}});
    const Status taken = co_await session.pool().Apply(std::move(take));
    LS_CO_RETURN_IF_ERROR(taken);
  }
  co_return co_await session.pool().Flush();
}

Task<Result<Outcome>> Measure(Session& session, Shape shape, Preparation preparation, io::Duration limit) {
  LS_CO_ASSIGN_OR_RETURN(const auto volumes, co_await session.AddVolumes(1, preparation.volume_size));
  const Status prepared = co_await Prepare(session, volumes, shape, preparation);
  LS_CO_RETURN_IF_ERROR(prepared);

  const uint64_t moved = session.pool().Info().moved, written = WrittenBytes();
  Load load(volumes, session.env().clock(), shape, 2);
  const double cpu = CpuSeconds();
  const io::Instant begin = session.env().clock().Now();
  co_await Await(session.loop(), load, limit);
  const io::Duration took = session.env().clock().Now() - begin;
  const double cpu_taken = CpuSeconds() - cpu;
  const Status flushed = co_await session.pool().Flush();
  LS_CO_RETURN_IF_ERROR(flushed);
  LS_CO_RETURN_IF_ERROR(load.status());
  const double asked = static_cast<double>(load.samples().size()) * static_cast<double>(shape.block);
  const double copied = static_cast<double>(session.pool().Info().moved - moved);
  Outcome outcome;
  outcome.latency = Summarize(load.samples());
  outcome.operations = load.samples().size();
  outcome.seconds = static_cast<double>(took.count()) / 1e9;
  outcome.amplification = 1 + copied / asked;
  outcome.written = static_cast<double>(WrittenBytes() - written) / asked;
  outcome.cpu_seconds = cpu_taken;
  co_return outcome;
}

void Print(const Outcome& o, uint64_t block) {
  const double rate = static_cast<double>(o.operations) / o.seconds;
  fmt::print("{{\"iops\": {:.1f}, \"mb_per_s\": {:.2f}, \"cpu_us_per_op\": {:.2f}, \"seconds\": {:.3f}, "
             "\"median_us\": {:.1f}, \"p99_us\": {:.1f}, \"longest_us\": {:.1f}, \"amplification\": {:.2f}, "
             "\"written\": {:.2f}}}\n",
             rate, rate * static_cast<double>(block) / 1e6, o.cpu_seconds * 1e6 / static_cast<double>(o.operations),
             o.seconds, o.latency.median, o.latency.p99, o.latency.longest, o.amplification, o.written);
}

Status Main(const Arguments& arguments) {
  Shape shape;
  shape.write = arguments.Text("op") == "write";
  shape.random = arguments.Text("pattern") == "random";
  LS_ASSIGN_OR_RETURN(shape.block, arguments.Number("block"));
  LS_ASSIGN_OR_RETURN(shape.bytes, arguments.Number("bytes"));
  LS_ASSIGN_OR_RETURN(const uint64_t depth, arguments.Number("depth"));
  shape.depth = static_cast<unsigned>(depth);
  Preparation preparation;
  LS_ASSIGN_OR_RETURN(preparation.volume_size, arguments.Number("volume"));
  LS_ASSIGN_OR_RETURN(preparation.age, arguments.Number("age"));
  LS_ASSIGN_OR_RETURN(const uint64_t fill, arguments.Number("fill"));
  preparation.fill = fill != 0;
  LS_ASSIGN_OR_RETURN(const uint64_t point, arguments.Number("point"));
  preparation.point = point != 0;
  LS_ASSIGN_OR_RETURN(const uint64_t flush, arguments.Number("flush"));
  shape.flush = flush != 0;
  Session::Options options{arguments.Text("file"), arguments.Text("index"), {}};
  LS_ASSIGN_OR_RETURN(options.pool.index_cache_bytes, arguments.Number("cache"));
  LS_ASSIGN_OR_RETURN(options.pool.index_memtable_bytes, arguments.Number("memtable"));
  LS_ASSIGN_OR_RETURN(const uint64_t seconds, arguments.Number("seconds"));
  LS_ASSIGN_OR_RETURN(const auto session, Session::Create(options));
  const std::chrono::seconds limit(seconds);
  LS_ASSIGN_OR_RETURN(const Outcome outcome,
                      RunOn(session->loop(), Measure(*session, shape, preparation, limit)));
  Print(outcome, shape.block);
  return {};
}

}  // namespace
}  // namespace lockstep::bench

int main(int argc, char** argv) {
  using namespace lockstep;
  const auto arguments = bench::Arguments::Parse(std::span(argv + 1, static_cast<size_t>(argc - 1)),
                                                 {{"file", ""},
                                                  {"index", ""},
                                                  {"op", "write"},
                                                  {"pattern", "random"},
                                                  {"block", "4K"},
                                                  {"depth", "32"},
                                                  {"seconds", "3"},
                                                  {"bytes", "1G"},
                                                  {"volume", "1G"},
                                                  {"age", "0"},
                                                  {"fill", "1"},
                                                  {"flush", "0"},
                                                  {"point", "0"},
                                                  {"cache", "64M"},
                                                  {"memtable", "32M"}});
  const Status status = arguments.ok() ? bench::Main(*arguments) : arguments.status();
  if (!status.ok()) fmt::print(stderr, "bench_engine: {}\n", status.ToString());
  return status.ok() ? 0 : 1;
}
