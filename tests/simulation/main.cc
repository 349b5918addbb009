// simulate: runs histories by their seeds. See --help.
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fmt/format.h>
#include <string>
#include <unistd.h>

#include "base/planted.h"
#include "tests/simulation/history.h"

namespace {

using lockstep::simulation::Outcome;
using lockstep::simulation::RunHistory;

constexpr const char* kHelp = R"(simulate [option]...

  --seed N        the first seed (1)
  --count K       how many seeds, one after the other (1)
  --seconds S     begins no further seed after so many seconds
  --twice         runs each seed twice; the two must be the same, down to every I/O
  --trace FILE    writes every event there, a line each; those of the second run to FILE.again
  --plant N       with bug number N planted (only in simulate_planted)
  --quiet         one line at the end, and what fails
  --counts        what the histories have met

Exit code: 0 when no history fails, 1 when one does (the first ends the run), 2 for a wrong command line.
)";

uint64_t current_seed = 0;
const char* program = "simulate";
int planted = 0;

// An assertion of the engine, or a history without an end: says which one.
void OnSignal(int signal) {
  char line[256];
  const int n = std::snprintf(line, sizeof line, "seed %llu: %s\nrepeat with: %s --seed %llu%s\n",
                              static_cast<unsigned long long>(current_seed),
                              signal == SIGALRM ? "does not end" : "aborts", program,
                              static_cast<unsigned long long>(current_seed), planted != 0 ? " --plant N" : "");
  if (n > 0) (void)!write(STDERR_FILENO, line, static_cast<size_t>(n));
  _exit(1);
}

struct Arguments {
  uint64_t seed = 1, count = 1, seconds = UINT64_MAX;
  bool twice = false, quiet = false, counts = false;
  std::FILE* trace = nullptr;
  std::FILE* trace_again = nullptr;
};

bool Parse(int argc, char** argv, Arguments& a) {
  for (int i = 1; i < argc; ++i) {
    const std::string name = argv[i];
    if (name == "--twice") a.twice = true;
    else if (name == "--quiet") a.quiet = true;
    else if (name == "--counts") a.counts = true;
    else if (i + 1 == argc) return false;
    else if (name == "--seed") a.seed = std::strtoull(argv[++i], nullptr, 0);
    else if (name == "--count") a.count = std::strtoull(argv[++i], nullptr, 0);
    else if (name == "--seconds") a.seconds = std::strtoull(argv[++i], nullptr, 0);
    else if (name == "--trace") {
      a.trace = std::fopen(argv[++i], "w");
      a.trace_again = std::fopen((argv[i] + std::string(".again")).c_str(), "w");
    }
    else if (name == "--plant") planted = std::atoi(argv[++i]);
    else return false;
  }
  return true;
}

// Prints what is wrong with it. False: something is.
bool Try(const Arguments& arguments, uint64_t seed, std::map<std::string, uint64_t>& counts) {
  current_seed = seed;
  alarm(300);
  Outcome outcome = RunHistory(seed, arguments.trace);
  if (arguments.twice && outcome.ok()) {
    const Outcome again = RunHistory(seed, arguments.trace_again);
    if (again.hash != outcome.hash)
      outcome.report.Add(fmt::format("two runs differ: {} events, hash {:016x}; {} events, hash {:016x}",
                                     outcome.events, outcome.hash, again.events, again.hash));
  }
  alarm(0);
  for (const auto& [what, n] : outcome.report.counts) counts[what] += n;
  if (!arguments.quiet)
    fmt::print("seed {}: {} events, hash {:016x}{}\n", seed, outcome.events, outcome.hash,
               outcome.ok() ? "" : ", FAILED");
  if (outcome.ok()) return true;
  for (const std::string& problem : outcome.report.problems) fmt::print("seed {}: {}\n", seed, problem);
  fmt::print("repeat with: {} --seed {}{}{}\n", program, seed, arguments.twice ? " --twice" : "",
             planted != 0 ? fmt::format(" --plant {}", planted) : "");
  return false;
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  program = argv[0];
  if (!Parse(argc, argv, arguments)) {
    std::fputs(kHelp, stderr);
    return 2;
  }
#ifdef LOCKSTEP_PLANTED_BUGS
  lockstep::planted_bug = planted;
#else
  if (planted != 0) {
    std::fputs("simulate: this program has no planted bugs; use simulate_planted\n", stderr);
    return 2;
  }
#endif
  std::signal(SIGABRT, OnSignal);
  std::signal(SIGSEGV, OnSignal);
  std::signal(SIGALRM, OnSignal);
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  std::map<std::string, uint64_t> counts;
  const std::time_t began = std::time(nullptr);
  uint64_t done = 0;
  bool ok = true;
  while (ok && done < arguments.count && static_cast<uint64_t>(std::time(nullptr) - began) < arguments.seconds)
    ok = Try(arguments, arguments.seed + done++, counts);
  if (arguments.counts)
    for (const auto& [what, n] : counts) fmt::print("{:10} {}\n", n, what);
  fmt::print("{} histories, seeds {} to {}, {} s: {}\n", done, arguments.seed, arguments.seed + done - 1,
             std::time(nullptr) - began, ok ? "no fault" : "FAILED");
  return ok ? 0 : 1;
}
