// A whole node on a simulated machine: what was asked for over the admin socket is there after a restart and after a
// crash at any point. Method: the real node, catalog, control and logstore; only disks, files, time and network are
// simulated.
#include "tests/scenario/node/machine.h"

#include <set>

#include "sim/crash_points.h"

namespace lockstep::node {
namespace {

std::set<std::string> Names(const Json& list) {
  std::set<std::string> names;
  for (const Json& each : list) names.insert(each["name"].get<std::string>());
  return names;
}

// A pool and three volumes that are a group.
void Furnish(Process& process) {
  process.Do("pool.create", {{"name", "main"}, {"path", kPoolPath}, {"size", kPoolSize}});
  process.Do("volume.create", {{"name", "db"}, {"size", "16M"}, {"count", 3}});
  process.Do("group.create", {{"name", "databases"}, {"members", {"db_1", "db_2", "db_3"}}});
  process.Do("export.create", {{"volume", "db_1"}});
}

TEST(Node, ServesWhatItWasAskedToMakeAfterARestart) {
  sim::SimEnv env(7);
  {
    Process process(env);
    ASSERT_TRUE(process.started().status.ok()) << process.started().status.message();
    Furnish(process);
    process.Do("replica.create_group", {{"source_group", "databases"}, {"name", "nightly"}});
  }
  Process process(env);
  ASSERT_TRUE(process.started().status.ok()) << process.started().status.message();
  const Json status = process.Do("node.status");
  EXPECT_EQ(status["volumes"].size(), 6u);
  EXPECT_EQ(status["relationships"].size(), 3u);
  ASSERT_EQ(status["group_relationships"].size(), 1u);
  EXPECT_EQ(status["group_relationships"][0]["name"], "nightly");
  EXPECT_EQ(status["group_relationships"][0]["copy_state"], "Synchronized");
  ASSERT_EQ(status["exports"].size(), 1u);
  EXPECT_EQ(status["exports"][0]["published"], true);
}

TEST(Node, KeepsItsIdentity) {
  sim::SimEnv env(8);
  const auto id = [&env] {
    Process process(env);
    auto file = env.files().Open("/var/lib/lockstep/node-id", io::FileSystem::Mode::kRead);
    std::string text(36, '\0');
    EXPECT_TRUE(file.ok() && (*file)->Read(0, std::as_writable_bytes(std::span(text))).ok());
    return text;
  };
  const std::string first = id();
  EXPECT_TRUE(Uuid::Parse(first).ok()) << first;
  EXPECT_EQ(id(), first);
}

TEST(Node, ASecondOneOnTheSameDataDirectoryDoesNotStart) {
  sim::SimEnv env(9);
  Process process(env);
  ASSERT_TRUE(process.started().status.ok());
  Process second(env);
  EXPECT_EQ(second.started().failure, StartFailure::kDataDirectory);
  EXPECT_EQ(second.started().status.code(), Code::kInUse);
}

TEST(Node, RefusesBadRequestsAndChangesNothing) {
  sim::SimEnv env(10);
  Process process(env);
  Furnish(process);
  const Json before = process.Do("node.status");
  EXPECT_EQ(process.Refusal("volume.create", {{"name", "db_1"}, {"size", "16M"}}), "already-exists");
  EXPECT_EQ(process.Refusal("volume.create", {{"name", "x"}}), "invalid-argument");
  EXPECT_EQ(process.Refusal("volume.create", {{"name", "x"}, {"size", "1M"}, {"sise", 1}}), "invalid-argument");
  EXPECT_EQ(process.Refusal("volume.create", {{"name", "x"}, {"size", "1M"}, {"pool", "none"}}), "not-found");
  EXPECT_EQ(process.Refusal("volume.delete", {{"volume", "db_1"}}), "in-use");
  EXPECT_EQ(process.Refusal("replica.create_element", {{"source", "db_1"}, {"sync_type", "mirror"}}), "not-supported");
  EXPECT_EQ(process.Refusal("replica.modify", {{"replicas", {"db_1"}}, {"operation", "explode"}}), "invalid-argument");
  EXPECT_EQ(process.Refusal("pool.create", {{"name", "again"}, {"path", kPoolPath}}), "already-exists");
  EXPECT_EQ(process.Refusal("job.show", {{"job", "7"}}), "invalid-argument");
  EXPECT_EQ(process.Do("node.status"), before);
}

TEST(Node, ReplicasAreFoundByEveryNameTheyHave) {
  sim::SimEnv env(11);
  Process process(env);
  Furnish(process);
  const Json made = process.Do("replica.create_group", {{"source_group", "databases"}, {"name", "nightly"}});
  const std::string target = made["pairs"][0]["target"]["name"];
  EXPECT_EQ(process.Do("replica.show", {{"replica", "nightly"}})["kind"], "group");
  EXPECT_EQ(process.Do("replica.show", {{"replica", target}})["source"]["name"], "db_1");
  const std::string id = made["pairs"][0]["id"];
  EXPECT_EQ(process.Do("replica.show", {{"replica", id}})["target"]["name"], target);
  EXPECT_EQ(process.Refusal("replica.show", {{"replica", "db_2"}}), "not-found");
}

TEST(Node, OperationsOnAGroupReplicaDoWhatTheySay) {
  sim::SimEnv env(12);
  Process process(env);
  Furnish(process);
  process.Do("replica.create_group", {{"source_group", "databases"}, {"name", "nightly"}});
  process.Do("replica.modify", {{"replicas", {"nightly"}}, {"operation", "Resync Replica"}});
  EXPECT_EQ(process.Do("replica.show", {{"replica", "nightly"}})["copy_state"], "Synchronized");
  process.Do("replica.modify", {{"replicas", {"nightly"}}, {"operation", "return-to-resource-pool"}});
  EXPECT_TRUE(process.Do("replica.list").empty());
  EXPECT_EQ(process.Do("volume.list").size(), 3u);
}

TEST(Node, AJobIsFollowedToItsEnd) {
  sim::SimEnv env(13);
  Process process(env);
  Furnish(process);
  // Large enough that the copying, piece by piece, is still under way when the watch begins.
  process.Do("volume.create", {{"name", "large"}, {"size", "4G"}});
  AdminClient client(env);
  const Json made = client.Ask("replica.create_element", {{"source", "large"},
                                                          {"sync_type", "clone"},
                                                          {"settings", {{"full_copy", true}}}})["result"];
  ASSERT_TRUE(made["job"].is_string()) << made.dump();
  const Json job = client.Ask("job.watch", {{"job", made["job"]}});
  EXPECT_EQ(job["result"]["state"], "Completed") << job.dump();
  EXPECT_EQ(job["result"]["percent"], 100);
  ASSERT_FALSE(client.events.empty());
  EXPECT_EQ(client.events[0]["params"]["job"]["id"], made["job"]);
}

TEST(AdminServer, AnswersWhatMakesNoSenseAndGoesOn) {
  sim::SimEnv env(14);
  Process process(env);
  AdminClient client(env);
  client.Send("this is not json\n");
  EXPECT_EQ(Json::parse(client.ReadLine().value_or("null"))["error"]["code"], -32700);
  EXPECT_EQ(client.Ask("volume.explode")["error"]["code"], -32601);
  EXPECT_TRUE(client.Ask("node.ping").contains("result"));
}

TEST(AdminServer, AnswersInTheOrderOfTheRequestsAndAfterTheLastHasCome) {
  sim::SimEnv env(15);
  Process process(env);
  AdminClient client(env);
  std::string all;
  for (int id = 0; id < 200; ++id) {
    all += Json{{"jsonrpc", "2.0"}, {"id", id}, {"method", "volume.list"}}.dump() + "\n";
  }
  client.Send(all);
  client.EndInput();
  for (int id = 0; id < 200; ++id) {
    const auto line = client.ReadLine();
    ASSERT_TRUE(line.has_value()) << id;
    EXPECT_EQ(Json::parse(*line)["id"], id);
  }
  EXPECT_EQ(client.ReadLine(), std::nullopt);
}

TEST(AdminServer, ALineWithoutEndCostsOneConnection) {
  sim::SimEnv env(16);
  Process process(env);
  AdminClient client(env);
  client.Send(std::string((1 << 20) + 1, 'x'));
  EXPECT_EQ(Json::parse(client.ReadLine().value_or("null"))["error"]["data"]["name"], "too-large");
  EXPECT_EQ(client.ReadLine(), std::nullopt);
  EXPECT_TRUE(process.Ask("node.ping").contains("result"));
}

// Cuts the power at change 1, 2, 3, ... of making a group replica: afterwards it is there as a whole or not at all, and
// what was acknowledged before is always there.
TEST(NodeCrash, AGroupReplicaIsThereAsAWholeOrNotAtAll) {
  bool answered = false;
  sim::CrashPoints points{.seed = 20, .first = 1, .step = 3 * sim::kUsualStep};
  sim::ForEachCrashPoint(
      points,
      [&](sim::SimEnv& env, sim::CrashPoint& point) {
        Process process(env);
        Furnish(process);
        point.Arm();
        const Json answer = process.Ask("replica.create_group", {{"source_group", "databases"}, {"name", "nightly"}});
        answered = answer.is_object() && answer.contains("result");
      },
      [&](sim::SimEnv& env, bool) {
        Process process(env);
        ASSERT_TRUE(process.started().status.ok()) << process.started().status.message();
        const Json status = process.Do("node.status");
        ASSERT_EQ(status["pools"][0]["state"], "ok") << status["pools"].dump();
        const bool there = status["group_relationships"].size() == 1;
        EXPECT_TRUE(there || !answered);
        EXPECT_EQ(status["relationships"].size(), there ? 3u : 0u);
        EXPECT_EQ(status["volumes"].size(), there ? 6u : 3u);
        const std::set<std::string> names = Names(status["volumes"]);
        for (const char* name : {"db_1", "db_2", "db_3"}) EXPECT_TRUE(names.contains(name)) << name;
        EXPECT_EQ(Names(status["exports"]), std::set<std::string>{"db_1"});
        // Whatever is there can be used and removed.
        if (there) process.Do("replica.modify", {{"replicas", {"nightly"}}, {"operation", "return-to-resource-pool"}});
        EXPECT_EQ(process.Do("volume.list").size(), 3u);
      });
}

TEST(NodeCrash, VolumesAreMadeAllOrNone) {
  bool answered = false;
  sim::ForEachCrashPoint(
      {.seed = 21, .first = 1, .step = 2 * sim::kUsualStep},
      [&](sim::SimEnv& env, sim::CrashPoint& point) {
        Process process(env);
        process.Do("pool.create", {{"name", "main"}, {"path", kPoolPath}, {"size", kPoolSize}});
        point.Arm();
        const Json answer = process.Ask("volume.create", {{"name", "v"}, {"size", "1M"}, {"count", 5}});
        answered = answer.is_object() && answer.contains("result");
      },
      [&](sim::SimEnv& env, bool) {
        Process process(env);
        ASSERT_TRUE(process.started().status.ok()) << process.started().status.message();
        const size_t volumes = process.Do("volume.list").size();
        EXPECT_TRUE(volumes == 5 || (volumes == 0 && !answered)) << volumes;
      });
}

}  // namespace
}  // namespace lockstep::node
