// lockstep status, capabilities, job and call.
#include <memory>
#include <optional>

#include <nlohmann/json.hpp>

#include "apps/lockstep/commands.h"
#include "apps/lockstep/show.h"

namespace lockstep::cli {

namespace {

// A command that does something to one job and shows what it has become.
void AddJobAct(CLI::App& family, Cli& cli, const std::string& name, const std::string& description) {
  CLI::App* command = AddCommand(family, name, description, "  lockstep job " + name + " 8f1c1c9e-...");
  auto job = std::make_shared<std::string>();
  command->add_option("job", *job, "Id of the job")->required();
  command->callback([&cli, name, job] {
    cli.Run("job." + name, {{"job", *job}},
            [](const Json& left) { return left.empty() ? std::string() : ShowJob(left); });
  });
}

}  // namespace

void AddJobCommands(CLI::App& app, Cli& cli) {
  CLI::App* family = AddFamily(app, "job", "Long operations; they survive a restart of the daemon");
  AddCommand(*family, "list", "List the jobs", "  lockstep job list")->callback([&cli] {
    cli.Run("job.list", Json::object(), ShowJobs);
  });
  AddJobAct(*family, cli, "show", "Show everything about one job");

  CLI::App* watch = AddCommand(*family, "watch", "Follow a job until it has ended; fails when it failed",
                               "  lockstep job watch 8f1c1c9e-...");
  auto watched = std::make_shared<std::string>();
  watch->add_option("job", *watched, "Id of the job")->required();
  watch->callback([&cli, watched] { cli.WatchJob(*watched); });

  AddJobAct(*family, cli, "cancel", "End a job; what it copied is given up");
  AddJobAct(*family, cli, "suspend", "Stop a job for the time being");
  AddJobAct(*family, cli, "resume", "Go on with a suspended job");
  AddJobAct(*family, cli, "delete", "Forget a job that has ended");

  CLI::App* keep = AddCommand(*family, "keep", "How long an ended job can still be seen",
                              "  lockstep job keep 8f1c1c9e-... --seconds 3600\n"
                              "  lockstep job keep 8f1c1c9e-... --for-ever");
  struct Keep {
    std::string job;
    std::optional<uint64_t> seconds;
    bool for_ever = false;
  };
  auto kept = std::make_shared<Keep>();
  keep->add_option("job", kept->job, "Id of the job")->required();
  CLI::Option* seconds = keep->add_option("--seconds", kept->seconds, "Removed this long after its end");
  keep->add_flag("--for-ever", kept->for_ever, "Until somebody deletes it")->excludes(seconds);
  keep->callback([&cli, kept] {
    Json params = {{"job", kept->job}, {"delete_on_completion", !kept->for_ever}};
    if (kept->seconds) params["time_before_removal_us"] = *kept->seconds * 1'000'000;
    cli.Run("job.set_retention", params, ShowJob);
  });
}

void AddNodeCommands(CLI::App& app, Cli& cli) {
  AddCommand(app, "status", "The whole node on one screen", "  lockstep status\n  lockstep status --json")
      ->callback([&cli] { cli.Run("node.status", Json::object(), ShowStatus); });
  AddCommand(app, "capabilities", "What replication can do here, by type", "  lockstep capabilities")
      ->callback([&cli] { cli.Run("node.capabilities", Json::object(), ShowCapabilities); });

  CLI::App* call = AddCommand(app, "call", "Send one request of the management protocol as it is, for scripts",
                              "  lockstep call node.methods\n"
                              "  lockstep call volume.show '{\"volume\": \"db1\"}'");
  struct Call {
    std::string method, params = "{}";
  };
  auto options = std::make_shared<Call>();
  call->add_option("method", options->method, "As docs/interfaces/admin.md names it")->required();
  call->add_option("params", options->params, "A JSON object")->capture_default_str();
  call->callback([&cli, options] {
    const Json params = Json::parse(options->params, nullptr, /*allow_exceptions=*/false);
    if (!params.is_object()) throw CLI::ValidationError("params", "must be a JSON object");
    cli.Run(options->method, params, [](const Json& result) { return result.dump(2) + "\n"; });
  });
}

}  // namespace lockstep::cli
