// What every command of `lockstep` stands on: the connection, the way results are shown, and the exit code.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "apps/lockstep/client.h"

namespace lockstep::cli {

// The options that every command takes.
struct GlobalOptions {
  std::string socket = "/run/lockstep/admin.sock";
  bool json = false;
  int timeout_s = 0;  // 0: wait for ever
};

class Cli {
 public:
  // Text for people, with its line ends.
  using Show = std::function<std::string(const Json& result)>;

  GlobalOptions& options() { return options_; }
  int exit_code() const { return exit_code_; }

  // Asks the daemon, and prints the answer: as JSON if so asked, else what `show` makes of it. False, with the error
  // printed and the exit code set, when the daemon refused; the caller stops then.
  bool Run(std::string_view method, const Json& params, const Show& show);
  // The same for an answer with a list of `problems`: the exit code says "corrupted" when there are any.
  bool RunCheck(std::string_view method, const Json& params, const Show& show);
  // As Run for what may start a job: with `wait`, goes on until the job has ended, with its progress on standard
  // error, and fails when it failed.
  bool RunJob(std::string_view method, const Json& params, bool wait, const Show& show);
  // Follows a job by its id and prints its last state.
  bool WatchJob(const std::string& id);

 private:
  // The daemon's answer; prints the error and sets the exit code when there is none.
  bool Ask(std::string_view method, const Json& params, const Client::OnEvent& on_event, Json& result);
  bool FollowJob(const std::string& id, Json& job);
  // Puts the replicas of an answer in the place of what they were before the job.
  bool LookAgain(Json& result);
  void Print(const Json& result, const Show& show);
  bool Fail(const Status& status);
  Client& client();

  GlobalOptions options_;
  std::unique_ptr<Client> client_;
  int exit_code_ = 0;
};

}  // namespace lockstep::cli
