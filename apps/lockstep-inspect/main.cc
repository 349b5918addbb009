// lockstep-inspect: reads a pool without the daemon, tells what its device says and what is wrong with it, and makes a
// new index from it.
#include <cstdio>
#include <memory>
#include <string>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <lockstep_version.h>
#include <nlohmann/json.hpp>

#include "io/posix/env.h"
#include "logstore/index.h"
#include "logstore/inspect.h"
#include "logstore/logstore.h"
#include "logstore/pool.h"

namespace lockstep::inspect {
namespace {

enum class ExitCode : int {
  kSound = 0,
  kUsage = 2,
  kUnreadable = 3,  // no pool there, in use, or the device does not answer
  kProblems = 4,    // something is wrong with it
  kNotRebuilt = 5,  // the index could not be made
};

constexpr char kFooter[] =
    "The daemon must not have the pool open: stop it first. It takes as long as reading the whole device.\n"
    "\n"
    "Examples:\n"
    "  lockstep-inspect /var/lib/lockstep/main.pool\n"
    "  lockstep-inspect /dev/sdb --segments --index /backup/index/POOL-ID\n"
    "  lockstep-inspect /dev/sdb --no-index --json\n"
    "  lockstep-inspect /dev/sdb --rebuild-index /var/lib/lockstep/index/POOL-ID\n"
    "\n"
    "Exit codes:\n"
    "  0  nothing is wrong\n"
    "  2  the command line is wrong\n"
    "  3  there is no pool, it is in use, or the device does not answer\n"
    "  4  something is wrong with the pool; each problem is told\n"
    "  5  the index could not be rebuilt\n";

struct CommandLine {
  std::vector<std::string> paths;
  std::string index, rebuild;
  bool json = false, segments = false, no_index = false;
};

const char* NameOf(logstore::InspectedSegment::Kind kind) {
  switch (kind) {
    case logstore::InspectedSegment::Kind::kUnused: return "unused";
    case logstore::InspectedSegment::Kind::kLog: return "log";
    case logstore::InspectedSegment::Kind::kMoved: return "moved";
  }
  return "";
}

void PrintText(const logstore::Inspection& i, bool segments) {
  fmt::print("pool           {}\n", i.superblock.pool.ToString());
  fmt::print("format         version {}, {} segments of {} MiB\n", i.version, i.superblock.segment_count,
             i.superblock.segment_size >> 20);
  for (size_t d = 0; d < i.devices.size(); ++d)
    fmt::print("device         {}, {} segments{}  {}\n", i.devices[d].id.ToString(), i.devices[d].segments(),
               i.devices[d].draining ? ", being emptied" : "", i.paths[d]);
  if (i.anchor)
    fmt::print("anchor         fold {}, as of entry {}\n", i.anchor->number, i.anchor->position - 1);
  else
    fmt::print("anchor         none\n");
  if (i.index)
    fmt::print("index          fold {}, as of entry {}; {} blocks, {} old versions\n", i.index->number,
               i.index->position.next - 1, i.index->current, i.index->history);
  else
    fmt::print("index          none was looked at\n");
  fmt::print("log            entries {} to {} in {} batches\n", i.log_from.next, i.log_to.next - 1, i.log_batches);
  fmt::print("volumes        {}\n", i.structure.volumes().size());
  for (const auto& [id, v] : i.structure.volumes()) fmt::print("  {}  {} MiB\n", id.ToString(), v.size >> 20);
  fmt::print("points         {}\n", i.structure.points().size());
  for (const auto& [id, p] : i.structure.points())
    fmt::print("  {}  entry {}, {} volumes\n", id.ToString(), p.position, p.members.size());
  if (segments)
    for (const auto& s : i.segments)
      fmt::print("segment {:>6}  {:<6} {:<8} {:>5} batches {:>7} blocks  entries {} to {}{}\n", s.segment,
                 NameOf(s.kind), s.in_use ? "in use" : "", s.batches, s.blocks, s.first, s.newest,
                 s.bad_blocks == 0 ? "" : fmt::format("  {} bad", s.bad_blocks));
  fmt::print("problems       {}\n", i.problems.size() + i.more_problems);
  for (const std::string& problem : i.problems) fmt::print("  {}\n", problem);
  if (i.more_problems != 0) fmt::print("  and {} more\n", i.more_problems);
}

void PrintJson(const logstore::Inspection& i, bool segments) {
  nlohmann::json out;
  out["pool"] = i.superblock.pool.ToString();
  out["version"] = i.version;
  out["segmentSize"] = i.superblock.segment_size;
  out["segmentCount"] = i.superblock.segment_count;
  for (size_t d = 0; d < i.devices.size(); ++d)
    out["devices"].push_back({{"id", i.devices[d].id.ToString()},
                              {"path", i.paths[d]},
                              {"segments", i.devices[d].segments()},
                              {"draining", i.devices[d].draining}});
  if (i.anchor) out["anchor"] = {{"fold", i.anchor->number}, {"position", i.anchor->position - 1}};
  out["log"] = {{"from", i.log_from.next}, {"to", i.log_to.next - 1}, {"batches", i.log_batches}};
  out["volumes"] = nlohmann::json::array();
  for (const auto& [id, v] : i.structure.volumes()) out["volumes"].push_back({{"id", id.ToString()}, {"size", v.size}});
  out["points"] = nlohmann::json::array();
  for (const auto& [id, p] : i.structure.points())
    out["points"].push_back({{"id", id.ToString()}, {"position", p.position}, {"volumes", p.members.size()}});
  if (segments) {
    out["segments"] = nlohmann::json::array();
    for (const auto& s : i.segments)
      out["segments"].push_back({{"segment", s.segment},
                                 {"kind", NameOf(s.kind)},
                                 {"inUse", s.in_use},
                                 {"batches", s.batches},
                                 {"blocks", s.blocks},
                                 {"badBlocks", s.bad_blocks},
                                 {"first", s.first},
                                 {"newest", s.newest}});
  }
  if (i.index)
    out["index"] = {{"fold", i.index->number},
                    {"position", i.index->position.next - 1},
                    {"blocks", i.index->current},
                    {"oldVersions", i.index->history}};
  out["problems"] = i.problems;
  out["moreProblems"] = i.more_problems;
  fmt::print("{}\n", out.dump(2));
}

// Where the daemon keeps the index, unless it was told otherwise.
constexpr char kUsualIndexes[] = "/var/lib/lockstep/index/";

Result<std::vector<logstore::DeviceFile>> OpenAll(io::Env& env, const std::vector<std::string>& paths) {
  std::vector<logstore::DeviceFile> files;
  for (const std::string& path : paths) {
    LS_ASSIGN_OR_RETURN(std::unique_ptr<io::Disk> disk, env.OpenDisk(path, 0));
    files.push_back({path, std::move(disk)});
  }
  return files;
}

Task<Result<logstore::Inspection>> InspectPaths(io::Env& env, std::vector<std::string> paths, std::string directory,
                                                bool no_index) {
  auto files = OpenAll(env, paths);
  LS_CO_RETURN_IF_ERROR(files.status());
  auto pool = co_await logstore::FindDevices(std::move(*files), {}, env.data_loop(), env.log());
  LS_CO_RETURN_IF_ERROR(pool.status());
  const bool named = !directory.empty();
  if (!named && !no_index) {
    directory = kUsualIndexes + pool->label.superblock.pool.ToString();
  }
  Result<std::unique_ptr<logstore::Index>> index = NotFound("not asked for");
  if (!no_index)
    index = logstore::Index::OpenReadOnly(env.files(), directory, logstore::IndexOptions(), env.log());
  const bool missing = index.status().code() == Code::kNotFound && !named;
  const bool damaged = index.status().code() == Code::kCorrupted;
  if (!index.ok() && !missing && !damaged) co_return index.status();
  auto found = co_await logstore::Inspect(*pool, index.ok() ? index->get() : nullptr);
  if (found.ok() && damaged) found->problems.insert(found->problems.begin(), "index: " + index.status().message());
  co_return found;
}

// Opening a pool without an index makes one; it is durable then, and the pool is closed again.
Task<Status> RebuildIndex(io::Env& env, std::vector<std::string> paths, std::string directory) {
  auto files = OpenAll(env, paths);
  LS_CO_RETURN_IF_ERROR(files.status());
  const auto present = env.files().List(directory);
  if (present.ok() && !present->empty())
    co_return AlreadyExists(directory + " is not empty; move what is there away first");
  const logstore::Seams seams{env.data_loop(), env.executor(), env.files(), env.random(), env.log(), env.clock()};
  logstore::Opening opening;
  opening.devices = std::move(*files);
  opening.index_directory = std::move(directory);
  auto pool = co_await logstore::OpenDevices(std::move(opening), logstore::Options(), seams);
  LS_CO_RETURN_IF_ERROR(pool.status());
  const Status flushed = co_await (*pool)->Flush();
  co_await (*pool)->Close();
  co_return flushed;
}

ExitCode Fail(const Status& status, ExitCode code) {
  fmt::print(stderr, "lockstep-inspect: {}\n", status.message());
  return code;
}

// On the data loop.
Task<ExitCode> Run(io::Env& env, const CommandLine& line) {
  std::string index = line.index;
  if (!line.rebuild.empty()) {
    const Status rebuilt = co_await RebuildIndex(env, line.paths, line.rebuild);
    if (rebuilt.code() == Code::kInUse) co_return Fail(rebuilt, ExitCode::kUnreadable);
    if (!rebuilt.ok()) co_return Fail(rebuilt, ExitCode::kNotRebuilt);
    if (!line.json) fmt::print("the index is rebuilt in {}\n", line.rebuild);
    index = line.rebuild;
  }
  const auto found = co_await InspectPaths(env, line.paths, index, line.no_index);
  if (!found.ok()) co_return Fail(found.status(), ExitCode::kUnreadable);
  (line.json ? PrintJson : PrintText)(*found, line.segments);
  co_return found->problems.empty() ? ExitCode::kSound : ExitCode::kProblems;
}

Task<void> RunAll(io::PosixEnv& env, const CommandLine& line, ExitCode& code) {
  co_await env.data_loop().Switch();
  code = co_await Run(env, line);
  co_await env.control_loop().Switch();
  env.StopControl();
}

ExitCode Main(int argc, char** argv) {
  CommandLine line;
  CLI::App app("Reads a pool of Lockstep without the daemon and tells what is wrong with it. Changes nothing, "
               "unless an index is to be rebuilt.");
  app.set_version_flag("--version", std::string("lockstep-inspect ") + kVersion);
  app.footer(kFooter);
  app.add_option("pool", line.paths, "Files or block devices of the pool, all of them")->required();
  app.add_flag("--segments", line.segments, "Tell of each segment");
  app.add_flag("--json", line.json, "For programs");
  auto* index = app.add_option("--index", line.index,
                               "The pool's index [/var/lib/lockstep/index/POOL-ID, if it is there]");
  auto* no_index = app.add_flag("--no-index", line.no_index, "Look at the device alone");
  auto* rebuild = app.add_option("--rebuild-index", line.rebuild,
                                 "First make the pool's index anew from its device, in this empty or missing folder");
  no_index->excludes(index)->excludes(rebuild);
  rebuild->excludes(index);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? ExitCode::kSound : ExitCode::kUsage;
  }
  auto env = io::PosixEnv::Create({.log_level = LogLevel::kWarn});
  if (!env.ok()) return Fail(env.status(), ExitCode::kUnreadable);
  ExitCode code = ExitCode::kUnreadable;
  (*env)->control_loop().Post([&] { Spawn(RunAll(**env, line, code)); });
  (*env)->StartAndRunControl();
  (*env)->Stop();
  return code;
}

}  // namespace
}  // namespace lockstep::inspect

int main(int argc, char** argv) {
  return static_cast<int>(lockstep::inspect::Main(argc, argv));
}
