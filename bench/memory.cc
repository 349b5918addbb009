// What a pool takes of memory, and how long it takes to open, when its volumes map very much. bench/memory drives it.
//
//   bench_memory --dir=DIR --phase=fill  --mapped=BYTES [--from=BYTES] [--size=BYTES] [--memory=192M]
//   bench_memory --dir=DIR --phase=write [--seconds=10] [--memory=192M]
//   bench_memory --dir=DIR --phase=read  [--seconds=10] [--memory=192M]
//
// fill makes a pool in DIR/pool (a sparse file of --size bytes) with one volume of 16 times that, of which every 16th
// block is mapped, up to --mapped bytes; from --from on, when the rest is there already. The entries of the index are
// as folds write them; the data is where the file is sparse: all of it is zeroes, which is what the checksums are of.
// write opens the pool and overwrites mapped blocks at random, read reads them, each for so long; with --seconds=0,
// until it is killed. Each phase prints a line of JSON, with the resident memory of the process and its peak, in MiB.
#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <random>
#include <string>

#include "base/checksum.h"
#include "bench/arguments.h"
#include "bench/session.h"
#include "logstore/index.h"
#include "logstore/label_io.h"
#include "logstore/memory.h"
#include "logstore/pool.h"
#include "logstore/record_cache.h"
#include "tests/support/aligned_memory.h"

namespace lockstep::bench {
namespace {

using block::kBlockSize;
using logstore::kChunkBlocks;

constexpr unsigned kDepth = 32;
constexpr uint64_t kEntriesAtOnce = 16 << 10;

struct Memory {
  double resident = 0, peak = 0;  // MiB
};
Memory MemoryOf() {
  Memory memory;
  std::ifstream status("/proc/self/status");
  for (std::string name; status >> name;) {
    double kib = 0;
    if (name == "VmRSS:" && status >> kib) memory.resident = kib / 1024;
    if (name == "VmHWM:" && status >> kib) memory.peak = kib / 1024;
  }
  return memory;
}

double SecondsSince(io::Clock& clock, io::Instant begin) {
  return static_cast<double>((clock.Now() - begin).count()) / 1e9;
}

// Where the blocks lie: one after the other, each segment without its first block, where a header would be.
class Places {
 public:
  explicit Places(const logstore::Superblock& superblock) : superblock_(superblock) {}
  uint64_t per_segment() const { return superblock_.segment_blocks() - 1; }
  uint64_t At(uint64_t entry) const {
    return superblock_.first_block(static_cast<uint32_t>(entry / per_segment())) + 1 + entry % per_segment();
  }
  uint32_t slot(uint64_t entry) const { return static_cast<uint32_t>(entry * 0x9e3779b97f4a7c15ull >> 60); }

 private:
  const logstore::Superblock superblock_;
};

struct Settings {
  std::string directory;
  uint64_t mapped = 0, from = 0, size = 0, seconds = 0;
  logstore::Options pool;
  std::string device() const { return directory + "/pool"; }
  std::string index() const { return directory + "/index"; }
};

class Filler {
 public:
  Filler(const Settings& settings, const logstore::Superblock& superblock, logstore::Index& index)
      : settings_(settings), superblock_(superblock), index_(index), places_(superblock) {}

  Status Run() {
    static constexpr std::byte kZeroes[kBlockSize] = {};
    crc_ = Crc32c(kZeroes);
    const uint64_t end = settings_.mapped / kBlockSize;
    for (uint64_t entry = settings_.from / kBlockSize; entry < end;) {
      logstore::Index::Batch batch;
      const uint64_t stop = std::min(end, entry + kEntriesAtOnce);
      for (; entry < stop; ++entry) {
        logstore::ChunkVersions versions = {};
        versions[places_.slot(entry)] = {entry + 2, places_.At(entry), crc_};
        batch.PutChunk({1, entry}, versions);
      }
      if (entry == end) Finish(batch, end);
      LS_RETURN_IF_ERROR(index_.Write(batch));
    }
    return index_.Persist();
  }

 private:
  void Finish(logstore::Index::Batch& batch, uint64_t entries) {
    const auto per = places_.per_segment();
    const auto segments = static_cast<uint32_t>((entries + per - 1) / per);
    for (uint32_t s = 0; s < segments; ++s) {
      const uint64_t first = s * per, behind = std::min<uint64_t>(entries, first + per);
      batch.PutSegment({s, static_cast<uint32_t>(behind - first), behind + 1, first + 2});
    }
    batch.PutLayer({.layer = 1, .used = entries, .written = entries + 1});
    batch.PutHolesKnownFrom(1);
    logstore::Structure structure;
    structure.Apply({{}, {block::CreateVolume{{superblock_.pool.uuid}, settings_.size * kChunkBlocks}}}, 1, {});
    batch.PutCheckpoint(superblock_.pool, {segments, 0, segments + 1, 0, entries + 2}, structure.EncodeBase(),
                        1 + entries / kEntriesAtOnce, 1, {});
  }

  const Settings& settings_;
  const logstore::Superblock superblock_;
  logstore::Index& index_;
  const Places places_;
  uint32_t crc_ = 0;
};

Result<logstore::Superblock> MakeDevice(io::PosixEnv& env, const Settings& settings) {
  if (settings.from == 0) {
    std::filesystem::remove_all(settings.directory);
    std::filesystem::create_directories(settings.index());
    std::ofstream(settings.device()).flush();
    std::filesystem::resize_file(settings.device(), settings.size);
  }
  const auto make = [](io::PosixEnv& e, std::string path, bool fresh) -> Task<Result<logstore::Superblock>> {
    LS_CO_ASSIGN_OR_RETURN(const auto disk, e.OpenDisk(path, 0));
    if (fresh) {
      const Status formatted = co_await logstore::Format(*disk, {e.random().NextUuid()}, {});
      LS_CO_RETURN_IF_ERROR(formatted);
    }
    LS_CO_ASSIGN_OR_RETURN(const logstore::Label label, co_await logstore::ReadLabel(*disk));
    co_return label.superblock;
  };
  return RunOn(env.data_loop(), make(env, settings.device(), settings.from == 0));
}

Status Fill(io::PosixEnv& env, const Settings& settings) {
  const io::Instant begin = env.clock().Now();
  LS_ASSIGN_OR_RETURN(const logstore::Superblock superblock, MakeDevice(env, settings));
  const size_t cache = settings.pool.index_cache_bytes;
  LS_ASSIGN_OR_RETURN(const auto index,
                      logstore::Index::Open(env.files(), settings.index(),
                                            {cache - cache / logstore::kRecordShare, settings.pool.index_memtable_bytes,
                                             nullptr},
                                            env.log()));
  LS_RETURN_IF_ERROR(Filler(settings, superblock, *index).Run());
  const Memory memory = MemoryOf();
  fmt::print("{{\"phase\": \"fill\", \"mapped\": {}, \"seconds\": {:.1f}, \"resident\": {:.1f}, \"peak\": {:.1f}}}\n",
             settings.mapped, SecondsSince(env.clock(), begin), memory.resident, memory.peak);
  return {};
}

// One of the requests in flight: again and again, until the time is over.
struct Worker {
  explicit Worker(uint64_t seed) : memory(kBlockSize), random(seed) {}
  test::AlignedMemory memory;
  std::mt19937_64 random;
  uint64_t done = 0;
  Status status;
};

Task<bool> Work(io::PosixEnv& env, const Settings& settings, bool write, block::Volume& volume, Worker& worker) {
  const io::Buffer buffer = worker.memory.buffer();
  const Places places({});
  const uint64_t entries = settings.mapped / kBlockSize;
  const io::Instant begin = env.clock().Now();
  while (settings.seconds == 0 || SecondsSince(env.clock(), begin) < static_cast<double>(settings.seconds)) {
    const uint64_t entry = worker.random() % entries;
    block::Request request;
    request.op = write ? block::Request::Op::kWrite : block::Request::Op::kRead;
    request.offset = (entry * kChunkBlocks + places.slot(entry)) * kBlockSize;
    request.length = kBlockSize;
    request.buffers = {&buffer, 1};
    worker.status = co_await block::Run(volume, request);
    if (!worker.status.ok()) co_return false;
    ++worker.done;
  }
  co_return true;
}

struct Served {
  double open_seconds = 0;
  Memory opened;
  uint64_t done = 0;
};

Task<Result<Served>> Serve(io::PosixEnv& env, const Settings& settings, bool write) {
  Served served;
  const io::Instant begin = env.clock().Now();
  LS_CO_ASSIGN_OR_RETURN(auto disk, env.OpenDisk(settings.device(), 0));
  const logstore::Seams seams{env.data_loop(), env.executor(), env.files(), env.random(), env.log(), env.clock()};
  LS_CO_ASSIGN_OR_RETURN(const auto pool,
                         co_await logstore::Open(std::move(disk), settings.index(), settings.pool, seams));
  served.open_seconds = SecondsSince(env.clock(), begin);
  served.opened = MemoryOf();
  fmt::print("opened in {:.2f} s\n", served.open_seconds);
  std::fflush(stdout);
  Status status;
  {
    const std::vector<block::VolumeInfo> volumes = pool->Volumes();
    const auto volume = *pool->OpenVolume(volumes.front().id);
    std::vector<std::unique_ptr<Worker>> workers;
    unsigned running = kDepth;
    for (unsigned i = 0; i < kDepth; ++i) workers.push_back(std::make_unique<Worker>(i + 1));
    co_await SuspendWith([&](auto resume) {
      auto all = std::make_shared<decltype(resume)>(std::move(resume));
      for (auto& worker : workers)
        Spawn(Work(env, settings, write, *volume, *worker), [&running, all](bool) {
          if (--running == 0) (*all)();
        });
    });
    for (const auto& worker : workers) {
      served.done += worker->done;
      if (!worker->status.ok()) status = worker->status;
    }
  }
  co_await pool->Close();
  LS_CO_RETURN_IF_ERROR(status);
  co_return served;
}

Status Main(const Arguments& arguments) {
  Settings settings;
  settings.directory = arguments.Text("dir");
  LS_ASSIGN_OR_RETURN(settings.mapped, arguments.Number("mapped"));
  LS_ASSIGN_OR_RETURN(settings.from, arguments.Number("from"));
  LS_ASSIGN_OR_RETURN(settings.size, arguments.Number("size"));
  LS_ASSIGN_OR_RETURN(settings.seconds, arguments.Number("seconds"));
  LS_ASSIGN_OR_RETURN(const uint64_t budget, arguments.Number("memory"));
  if (budget < logstore::kLeastMemory) return InvalidArgument("a pool needs 16M at least");
  logstore::SetMemory(settings.pool, budget);
  LS_ASSIGN_OR_RETURN(const auto env, io::PosixEnv::Create({.log_level = LogLevel::kWarn}));
  env->Start();
  Status status;
  const std::string phase = arguments.Text("phase");
  if (phase == "fill") {
    status = Fill(*env, settings);
  } else {
    const auto served = RunOn(env->data_loop(), Serve(*env, settings, phase == "write"));
    status = served.status();
    const Memory memory = MemoryOf();
    if (served.ok())
      fmt::print("{{\"phase\": \"{}\", \"mapped\": {}, \"open_seconds\": {:.3f}, \"open_resident\": {:.1f}, "
                 "\"open_peak\": {:.1f}, \"operations\": {}, \"seconds\": {}, \"resident\": {:.1f}, "
                 "\"peak\": {:.1f}}}\n",
                 phase, settings.mapped, served->open_seconds, served->opened.resident, served->opened.peak,
                 served->done, settings.seconds, memory.resident, memory.peak);
  }
  env->Stop();
  return status;
}

}  // namespace
}  // namespace lockstep::bench

int main(int argc, char** argv) {
  using namespace lockstep;
  const auto arguments = bench::Arguments::Parse(std::span(argv + 1, static_cast<size_t>(argc - 1)),
                                                 {{"dir", ""},
                                                  {"phase", ""},
                                                  {"mapped", "0"},
                                                  {"from", "0"},
                                                  {"size", "0"},
                                                  {"seconds", "10"},
                                                  {"memory", "192M"}});
  const Status status = arguments.ok() ? bench::Main(*arguments) : arguments.status();
  if (!status.ok()) fmt::print(stderr, "bench_memory: {}\n", status.ToString());
  return status.ok() ? 0 : 1;
}
