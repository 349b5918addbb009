#include "apps/lockstep/cli.h"

#include <unistd.h>

#include <cstdio>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "apps/lockstep/exit_code.h"
#include "apps/lockstep/show.h"

namespace lockstep::cli {

namespace {

// One line that is rewritten in place on a terminal, and left alone when standard error is a file.
class ProgressLine {
 public:
  void Update(const std::string& text) {
    if (!terminal_) return;
    fmt::print(stderr, "\r{}\x1b[K", text);
    std::fflush(stderr);
    shown_ = true;
  }
  ~ProgressLine() {
    if (shown_) fmt::print(stderr, "\r\x1b[K");
  }

 private:
  const bool terminal_ = ::isatty(STDERR_FILENO) == 1;
  bool shown_ = false;
};

std::string ProgressText(const Json& job) {
  const auto percent = job.value("percent", 0u);
  const std::string bar(percent / 5, '#');
  return fmt::format("{}  [{:<20}] {:>3} %  {}", job.value("name", ""), bar, percent, job.value("state", ""));
}

}  // namespace

Client& Cli::client() {
  if (!client_) client_ = std::make_unique<Client>(options_.socket, std::chrono::seconds(options_.timeout_s));
  return *client_;
}

bool Cli::Fail(const Status& status) {
  const std::string name(CodeName(status.code()));
  exit_code_ = client().connection_failed() ? kExitUnreachable : ExitCodeOf(name);
  if (options_.json) {
    const Json error = {{"error", {{"name", name}, {"message", status.message()}, {"exit_code", exit_code_}}}};
    fmt::print(stderr, "{}\n", error.dump(2, ' ', false, Json::error_handler_t::replace));
  } else {
    fmt::print(stderr, "lockstep: {}: {}\n", name, status.message());
  }
  return false;
}

bool Cli::Ask(std::string_view method, const Json& params, const Client::OnEvent& on_event, Json& result) {
  auto answer = client().Call(method, params, on_event);
  if (!answer.ok()) return Fail(answer.status());
  result = *std::move(answer);
  return true;
}

void Cli::Print(const Json& result, const Show& show) {
  if (options_.json) fmt::print("{}\n", result.dump(2, ' ', false, Json::error_handler_t::replace));
  else fmt::print("{}", show(result));
  std::fflush(stdout);
}

bool Cli::Run(std::string_view method, const Json& params, const Show& show) {
  Json result;
  if (!Ask(method, params, nullptr, result)) return false;
  Print(result, show);
  return true;
}

bool Cli::RunCheck(std::string_view method, const Json& params, const Show& show) {
  Json result;
  if (!Ask(method, params, nullptr, result)) return false;
  Print(result, show);
  if (result["problems"].empty()) return true;
  exit_code_ = ExitCodeOf(CodeName(Code::kCorrupted));
  return false;
}

bool Cli::FollowJob(const std::string& id, Json& job) {
  ProgressLine line;
  const auto on_event = [&line](const Json& params) { line.Update(ProgressText(params.value("job", Json::object()))); };
  return Ask("job.watch", {{"job", id}}, on_event, job);
}

bool Cli::LookAgain(Json& result) {
  const auto look = [this](Json& replica) {
    if (!replica.is_object() || !replica.contains("id")) return true;
    return Ask("replica.show", {{"replica", replica["id"]}}, nullptr, replica);
  };
  if (result.contains("synchronization") && !look(result["synchronization"])) return false;
  for (const char* list : {"synchronizations", "pairs"}) {
    if (!result.contains(list)) continue;
    for (Json& replica : result[list]) {
      if (!look(replica)) return false;
    }
  }
  return true;
}

bool Cli::RunJob(std::string_view method, const Json& params, bool wait, const Show& show) {
  Json result;
  if (!Ask(method, params, nullptr, result)) return false;
  if (wait && result.contains("job") && result["job"].is_string()) {
    Json job;
    if (!FollowJob(result["job"].get<std::string>(), job)) return false;
    if (job["error"].is_object()) {
      return Fail(Status(CodeNamed(job["error"].value("name", "")), job["error"].value("message", "")));
    }
    result["job_ended"] = std::move(job);
    if (!LookAgain(result)) return false;
  }
  Print(result, show);
  return true;
}

bool Cli::WatchJob(const std::string& id) {
  Json job;
  if (!FollowJob(id, job)) return false;
  Print(job, ShowJob);
  if (!job["error"].is_object()) return true;
  exit_code_ = ExitCodeOf(job["error"].value("name", ""));
  return false;
}

}  // namespace lockstep::cli
