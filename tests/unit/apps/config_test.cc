// The configuration: what is read, and that what is wrong is said with its line.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <sstream>

#include "apps/node/config.h"

namespace lockstep::node {
namespace {

std::string Refusal(std::string_view text) {
  const auto config = ParseConfig(text, "lockstep.conf");
  return config.ok() ? "accepted" : config.status().message();
}

TEST(Config, AnEmptyFileGivesTheDefaults) {
  const auto config = ParseConfig("", "lockstep.conf");
  ASSERT_TRUE(config.ok());
  EXPECT_EQ(config->data_directory, "/var/lib/lockstep");
  ASSERT_EQ(config->nbd.listen.size(), 1u);
  EXPECT_EQ(config->nbd.listen[0].ToString(), "tcp:127.0.0.1:10809");
  EXPECT_EQ(config->cim.listen[0].ToString(), "tcp:127.0.0.1:5988");
  EXPECT_FALSE(config->nbd.allow_remote);
}

TEST(Config, EverySettingIsRead) {
  const auto config = ParseConfig(R"(
[node]
name = "east"
data_directory = "/data"
schema_directory = "/mof"
log_level = "debug"
[admin]
socket = ""
[pools]
warn_used = [50]
devices = ["/dev/sdb", "/dev/sdc"]
scrub_every = "2w"
scrub_rate = "0"
memory = "1G"
[nbd]
listen = ["tcp:0.0.0.0:1", "unix:/x"]
allow_remote = true
connections_max = 7
[cim]
listen = []
https = ["tcp:0.0.0.0:5989"]
certificate = "/c"
key = "/k"
client_ca = "/a"
listener_ca = "/l"
announce = "/n"
users = "/u"
pam_service = "lockstep"
anonymous = "monitor"
)", "lockstep.conf");
  ASSERT_TRUE(config.ok()) << config.status().message();
  EXPECT_EQ(config->name, "east");
  EXPECT_EQ(config->data_directory, "/data");
  EXPECT_EQ(config->schema_directory, "/mof");
  EXPECT_EQ(config->log_level, LogLevel::kDebug);
  EXPECT_EQ(config->admin_socket, "");
  EXPECT_EQ(config->warn_used, std::vector<uint32_t>{50});
  EXPECT_EQ(config->devices, (std::vector<std::string>{"/dev/sdb", "/dev/sdc"}));
  EXPECT_EQ(config->scrub_every_seconds, 14u * 24 * 3600);
  EXPECT_EQ(config->scrub_rate, 0u);
  EXPECT_EQ(config->pool_memory, 1u << 30);
  EXPECT_EQ(config->nbd.listen.size(), 2u);
  EXPECT_EQ(config->nbd.connections_max, 7u);
  EXPECT_TRUE(config->cim.listen.empty());
  const CimSecurity& security = config->cim_security;
  ASSERT_EQ(security.https.size(), 1u);
  EXPECT_EQ(security.https[0].ToString(), "tcp:0.0.0.0:5989");
  EXPECT_EQ(security.certificate + security.key + security.client_ca + security.listener_ca + security.announce +
                security.users,
            "/c/k/a/l/n/u");
  EXPECT_EQ(security.pam_service, "lockstep");
  EXPECT_EQ(security.anonymous, access::Role::kMonitor);
}

TEST(Config, WhatIsWrongIsSaidWithItsLine) {
  EXPECT_EQ(Refusal("[node]\nlog_level = \"loud\"\n"),
            "lockstep.conf:2: log level \"loud\" must be \"debug\", \"info\", \"warn\" or \"error\"");
  EXPECT_EQ(Refusal("[node]\n\ndata_directory = 7\n"),
            "lockstep.conf:3: data_directory must be an absolute path in quotes");
  EXPECT_EQ(Refusal("[nbd]\nallow_remote = \"yes\"\n"), "lockstep.conf:2: allow_remote must be true or false");
  EXPECT_EQ(Refusal("[nbd]\nconnections_max = 0\n"),
            "lockstep.conf:2: connections_max must be a whole number from 1 to 100000");
  EXPECT_EQ(Refusal("[cim]\nport = 1\n"),
            "lockstep.conf:2: [cim] has no setting \"port\"; it has listen, allow_remote, connections_max, "
            "https, certificate, key, client_ca, listener_ca, announce, users, pam_service, anonymous");
  EXPECT_EQ(Refusal("\n[iscsi]\n"),
            "lockstep.conf:2: there is no section [iscsi]; there are [node], [admin], [pools], [nbd], [cim]");
  EXPECT_EQ(Refusal("[pools]\nscrub_every = \"monthly\"\n"),
            "lockstep.conf:2: scrub_every must be an interval like \"30d\", or \"0\" for never");
  EXPECT_EQ(Refusal("[pools]\nmemory = \"8M\"\n"),
            "lockstep.conf:2: memory must be bytes like \"192M\", at least 16M");
  EXPECT_EQ(Refusal("[pools]\nscrub_rate = 50\n"),
            "lockstep.conf:2: scrub_rate must be bytes a second like \"50M\", or \"0\" for no limit");
  EXPECT_EQ(Refusal("[pools]\nwarn_used = [80, 101]\n"),
            "lockstep.conf:2: warn_used must list whole numbers from 1 to 100");
  EXPECT_EQ(Refusal("[pools]\ndevices = [\"sdb\"]\n"), "lockstep.conf:2: devices must list absolute paths in quotes");
  EXPECT_EQ(Refusal("[pools]\ndevices = [\"/a\", \"/a\"]\n"), "lockstep.conf:2: devices has /a twice");
  EXPECT_EQ(Refusal("[cim]\nanonymous = \"root\"\n"),
            "lockstep.conf:2: anonymous must be \"administrator\", \"operator\", \"monitor\" or \"\" for nobody");
  EXPECT_EQ(Refusal("[cim]\ncertificate = \"/c\"\n"), "lockstep.conf:1: certificate and key are set both or neither");
  EXPECT_TRUE(Refusal("[node\n").starts_with("lockstep.conf:1: "));
  const std::string no_endpoint = Refusal("[nbd]\nlisten = [\"localhost\"]\n");
  EXPECT_TRUE(no_endpoint.starts_with("lockstep.conf:2: 'localhost' is not an endpoint")) << no_endpoint;
}

TEST(Config, ListeningBeyondLoopbackMustBeMeant) {
  const std::string refusal = Refusal("[nbd]\nlisten = [\"tcp:0.0.0.0:10809\"]\n");
  EXPECT_NE(refusal.find("lockstep.conf:1: [nbd] would listen on tcp:0.0.0.0:10809"), std::string::npos) << refusal;
  EXPECT_NE(refusal.find("allow_remote = true"), std::string::npos);
  EXPECT_EQ(Refusal("[nbd]\nlisten = [\"tcp:0.0.0.0:10809\"]\nallow_remote = true\n"), "accepted");
}

// The sample says of each setting what the program takes when it is not set. With the comment signs before settings
// taken away it is a file that changes nothing.
TEST(Config, TheSampleNamesEverySettingWithItsDefault) {
  std::ifstream file(std::string(LOCKSTEP_SOURCE_DIR) + "/packaging/lockstep.conf.sample");
  ASSERT_TRUE(file);
  std::string text, line;
  int settings = 0;
  while (std::getline(file, line)) {
    const bool setting = line.size() > 1 && line[0] == '#' && line[1] != ' ' && line.find(" = ") != std::string::npos;
    settings += setting ? 1 : 0;
    text += (setting ? line.substr(1) : line) + "\n";
  }
  const auto config = ParseConfig(text, "lockstep.conf.sample");
  ASSERT_TRUE(config.ok()) << config.status().message();
  const Config defaults;
  EXPECT_EQ(settings, 25);
  EXPECT_EQ(config->name, defaults.name);
  EXPECT_EQ(config->data_directory, defaults.data_directory);
  EXPECT_EQ(config->schema_directory, defaults.schema_directory);
  EXPECT_EQ(config->log_level, defaults.log_level);
  EXPECT_EQ(config->admin_socket, defaults.admin_socket);
  EXPECT_EQ(config->warn_used, defaults.warn_used);
  EXPECT_EQ(config->devices, defaults.devices);
  EXPECT_EQ(config->scrub_every_seconds, defaults.scrub_every_seconds);
  EXPECT_EQ(config->scrub_rate, defaults.scrub_rate);
  EXPECT_EQ(config->pool_memory, defaults.pool_memory);
  EXPECT_EQ(config->cim_security.https[0].ToString(), defaults.cim_security.https[0].ToString());
  EXPECT_EQ(config->cim_security.certificate, defaults.cim_security.certificate);
  EXPECT_EQ(config->cim_security.key, defaults.cim_security.key);
  EXPECT_EQ(config->cim_security.client_ca, defaults.cim_security.client_ca);
  EXPECT_EQ(config->cim_security.listener_ca, defaults.cim_security.listener_ca);
  EXPECT_EQ(config->cim_security.announce, defaults.cim_security.announce);
  EXPECT_EQ(config->cim_security.users, defaults.cim_security.users);
  EXPECT_EQ(config->cim_security.pam_service, defaults.cim_security.pam_service);
  EXPECT_EQ(config->cim_security.anonymous, defaults.cim_security.anonymous);
  const std::pair<const Config::Face*, const Config::Face*> faces[] = {{&config->nbd, &defaults.nbd},
                                                                       {&config->cim, &defaults.cim}};
  for (const auto& [read, expected] : faces) {
    EXPECT_EQ(read->allow_remote, expected->allow_remote);
    EXPECT_EQ(read->connections_max, expected->connections_max);
    ASSERT_EQ(read->listen.size(), expected->listen.size());
    EXPECT_EQ(read->listen[0].ToString(), expected->listen[0].ToString());
  }
}

}  // namespace
}  // namespace lockstep::node
