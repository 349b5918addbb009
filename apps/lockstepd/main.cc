// lockstepd: a node as a process. Reads the settings, builds the node on the real machine, runs it until a signal says
// to stop.
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <exception>
#include <memory>
#include <utility>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <lockstep_version.h>

#include "apps/lockstepd/exit_code.h"
#include "apps/lockstepd/notify.h"
#include "apps/lockstepd/pam.h"
#include "apps/lockstepd/settings.h"
#include "apps/lockstepd/signals.h"
#include "apps/node/node.h"
#include "io/posix/env.h"

namespace lockstep::daemon {

namespace {

// The node's life on the control loop, from start to stop.
class Daemon {
 public:
  Daemon(io::PosixEnv& env, node::Config config, access::PasswordCheck pam)
      : env_(env), config_(std::move(config)), pam_(std::move(pam)) {}

  // On this thread; answers when the node is gone.
  ExitCode Run() {
    Signals signals([this](int signal) { OnSignal(signal); });
    env_.control_loop().Post([this] { Spawn(Live()); });
    env_.StartAndRunControl();
    return exit_code_;
  }

 private:
  Task<void> Live() {
    node_ = std::make_unique<node::Node>(env_, config_, kVersion, pam_);
    const node::StartResult started = co_await node_->Start();
    if (started.status.ok()) {
      AnnounceReady();
      if (!stop_asked_) co_await SuspendWith([this](auto resume) { stop_ = std::move(resume); });
    } else {
      env_.log().Error("cannot start: {}", started.status.message());
      exit_code_ = ExitCodeOf(started.failure);
    }
    NotifyServiceManager("STOPPING=1\nSTATUS=stopping");
    co_await node_->Stop();
    node_.reset();
    env_.log().Info("stopped");
    env_.StopControl();
  }

  // To the service manager, and on standard output for whoever started us with ports of the system's choice.
  void AnnounceReady() {
    for (const io::Endpoint& endpoint : node_->nbd_endpoints()) fmt::print("nbd {}\n", endpoint.ToString());
    for (const io::Endpoint& endpoint : node_->cim_endpoints()) fmt::print("cim {}\n", endpoint.ToString());
    for (const io::Endpoint& endpoint : node_->cim_https_endpoints()) fmt::print("cim-https {}\n", endpoint.ToString());
    if (!config_.admin_socket.empty()) {
      // The mask has kept everybody else out; the owner has no use for the right to execute.
      (void)::chmod(config_.admin_socket.c_str(), 0600);
      fmt::print("admin {}\n", config_.admin_socket);
    }
    fmt::print("ready\n");
    std::fflush(stdout);
    NotifyServiceManager("READY=1\nSTATUS=serving");
  }

  // On the signals' thread.
  void OnSignal(int signal) {
    if (signal == SIGHUP) {
      env_.log().Info("SIGHUP: reading certificates anew; settings are read at start");
      env_.control_loop().Post([this] {
        if (stop_) node_->Reload();
      });
      return;
    }
    if (std::exchange(signalled_, true)) {
      env_.log().Warn("second signal: ending at once; the next start recovers as after a crash");
      ::_exit(static_cast<int>(ExitCode::kHurried));
    }
    env_.log().Info("signal {}: stopping", signal);
    env_.control_loop().Post([this] {
      stop_asked_ = true;
      if (auto stop = std::exchange(stop_, nullptr)) stop();
    });
  }

  io::PosixEnv& env_;
  const node::Config config_;
  const access::PasswordCheck pam_;
  std::unique_ptr<node::Node> node_;
  std::function<void()> stop_;  // set while the node serves
  bool stop_asked_ = false;
  bool signalled_ = false;  // of the signals' thread
  ExitCode exit_code_ = ExitCode::kStopped;
};

constexpr char kFooter[] =
    "Examples:\n"
    "  lockstepd --config /etc/lockstep/lockstep.conf\n"
    "  lockstepd --data-directory ./data --admin-socket ./admin.sock --nbd unix:./nbd.sock --cim off \\\n"
    "    --cim-https tcp:127.0.0.1:0\n"
    "\n"
    "SIGTERM or SIGINT: stops cleanly; a second one: ends at once. SIGHUP: reads certificates anew.\n"
    "When it serves, it prints where it listens and then \"ready\", and tells the service manager (sd_notify).\n"
    "\n"
    "Exit codes:\n"
    "  0  stopped by a signal, cleanly\n"
    "  2  the command line is wrong\n"
    "  3  the configuration cannot be read or is wrong, or a file that it names for users or certificates\n"
    "  4  the data directory cannot be used, or another lockstepd uses it\n"
    "  5  the catalog cannot be opened, is damaged or of a newer version\n"
    "  6  the schema (MOF files) is missing or wrong\n"
    "  7  an address is taken or may not be used\n"
    "  8  the operating system refuses what every node needs\n"
    "  9  ended at once by a second signal\n";

void AddOptions(CLI::App& app, CommandLine& line) {
  app.set_version_flag("--version", std::string("lockstepd ") + kVersion);
  app.footer(kFooter);
  app.add_option("--config", line.config, std::string("Settings; ") + kDefaultConfig + " if it is there");
  app.add_flag("--check-config", line.check_config, "Read the settings, report what is wrong, and end");
  app.add_option("--data-directory", line.data_directory, "Where the catalog lives");
  app.add_option("--schema", line.schema_directory, "Folder of the MOF files");
  app.add_option("--admin-socket", line.admin_socket, "Socket for the lockstep command");
  app.add_option("--nbd", line.nbd, "Where to serve NBD, instead of the file's list; \"off\": nowhere");
  app.add_option("--cim", line.cim, "Where to serve SMI-S, instead of the file's list; \"off\": nowhere");
  app.add_option("--cim-https", line.cim_https,
                 "Where to serve it over HTTPS, instead of the file's list; \"off\", or --cim alone: nowhere");
  app.add_option("--cim-anonymous", line.cim_anonymous, "Role of local clients that do not say who they are");
  app.add_option("--log-level", line.log_level, "debug, info, warn or error");
}

ExitCode Main(int argc, char** argv) {
  CommandLine line;
  CLI::App app("Serves a Lockstep node: volumes over NBD, managed over SMI-S and a local socket.", "lockstepd");
  AddOptions(app, line);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? ExitCode::kStopped : ExitCode::kUsage;
  }
  auto config = LoadSettings(line);
  if (!config.ok()) {
    fmt::print(stderr, "lockstepd: {}\n", config.status().message());
    return ExitCode::kConfiguration;
  }
  auto pam = MakePamCheck(config->cim_security.pam_service);
  if (!pam.ok()) {
    fmt::print(stderr, "lockstepd: {}\n", pam.status().message());
    return ExitCode::kConfiguration;
  }
  if (line.check_config) return ExitCode::kStopped;

  // Sockets and data are for the owner only: whoever may open the admin socket may do everything.
  ::umask(0077);
  Signals::Block();
  io::PosixEnv::Options options;
  options.log_level = config->log_level;
  auto env = io::PosixEnv::Create(options);
  if (!env.ok()) {
    fmt::print(stderr, "lockstepd: {}\n", env.status().message());
    return ExitCode::kSystem;
  }
  const ExitCode code = Daemon(**env, *std::move(config), *std::move(pam)).Run();
  (*env)->Stop();
  return code;
}

}  // namespace

}  // namespace lockstep::daemon

// Only the option parser and the standard library's containers and paths throw; what gets here ended the start.
int main(int argc, char** argv) {
  try {
    return static_cast<int>(lockstep::daemon::Main(argc, argv));
  } catch (const std::exception& error) {
    fmt::print(stderr, "lockstepd: {}\n", error.what());
    return static_cast<int>(lockstep::daemon::ExitCode::kSystem);
  }
}
