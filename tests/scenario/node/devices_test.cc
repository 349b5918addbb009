// Pools that grow, shrink and travel, as their owner sees it: over the admin socket, with restarts and power cuts in
// between.
#include <gtest/gtest.h>

#include "sim/crash_points.h"
#include "tests/scenario/node/machine.h"

namespace lockstep::node {
namespace {

constexpr char kSecond[] = "/disks/second", kThird[] = "/disks/third";

void MakePool(Process& process) {
  process.Do("pool.create", {{"name", "main"}, {"path", kPoolPath}, {"size", kPoolSize}});
  process.Do("volume.create", {{"name", "db"}, {"size", "16M"}, {"count", 2}});
  process.Do("group.create", {{"name", "databases"}, {"members", {"db_1", "db_2"}}});
  process.Do("replica.create_group", {{"source_group", "databases"}, {"name", "nightly"}});
  process.Do("export.create", {{"volume", "db_1"}});
}

// What must not change by any of it.
Json Belongings(Process& process) {
  Json all;
  for (const char* method : {"volume.list", "group.list", "replica.list", "export.list"})
    all[method] = process.Do(method);
  return all;
}
std::vector<std::string> PathsOfPool(Process& process) {
  return process.Do("pool.show", {{"pool", "main"}})["paths"].get<std::vector<std::string>>();
}
Json RemoveAndWait(Process& process, const char* path) {
  const Json job = process.Do("pool.remove_device", {{"pool", "main"}, {"device", path}});
  return process.Do("job.watch", {{"job", job["job"]}});
}

TEST(NodeDevices, ComeAndGoAndAreThereAfterARestart) {
  sim::SimEnv env(31);
  Json before;
  {
    Process process(env);
    MakePool(process);
    before = Belongings(process);
    const uint64_t size = process.Do("pool.show", {{"pool", "main"}})["size"];
    const Json added = process.Do("pool.add_device", {{"pool", "main"}, {"path", kSecond}, {"size", kPoolSize}});
    EXPECT_EQ(added["size"], 2 * size);
    EXPECT_EQ(added["devices"].size(), 2u) << added.dump();
    EXPECT_EQ(process.Refusal("pool.add_device", {{"pool", "main"}, {"path", kSecond}}), "already-exists");
    EXPECT_EQ(process.Refusal("pool.remove_device", {{"pool", "main"}, {"device", kThird}}), "not-found");
  }
  env.Crash();
  {
    Process process(env);
    EXPECT_EQ(PathsOfPool(process), (std::vector<std::string>{kPoolPath, kSecond}));
    const Json job = RemoveAndWait(process, kPoolPath);
    EXPECT_EQ(job["state"], "Completed") << job.dump();
    EXPECT_EQ(PathsOfPool(process), std::vector<std::string>{kSecond});
    EXPECT_EQ(process.Refusal("pool.remove_device", {{"pool", "main"}, {"device", kSecond}}), "invalid-state");
    // What was removed can be used again.
    process.Do("pool.add_device", {{"pool", "main"}, {"path", kPoolPath}});
    EXPECT_EQ(Belongings(process), before);
  }
  Process process(env);
  EXPECT_EQ(PathsOfPool(process), (std::vector<std::string>{kSecond, kPoolPath}));
  EXPECT_EQ(process.Do("pool.check", {{"pool", "main"}})["problems"].size(), 0u);
  EXPECT_EQ(Belongings(process), before);
}

TEST(NodeDevices, APoolGrowsWithItsDevices) {
  sim::SimEnv env(32);
  Process process(env);
  MakePool(process);
  const uint64_t before = process.Do("pool.show", {{"pool", "main"}})["size"];
  EXPECT_EQ(process.Do("pool.grow", {{"pool", "main"}})["grown_by"], 0u);
  env.media(kPoolPath)->Grow(2 * kPoolSize);
  const Json grown = process.Do("pool.grow", {{"pool", "main"}});
  EXPECT_EQ(grown["grown_by"], kPoolSize);
  EXPECT_EQ(grown["size"], before + kPoolSize);
}

TEST(NodeDevices, ADeviceThatIsMissingOrHasMovedIsNamed) {
  sim::SimEnv env(33);
  Json before;
  {
    Process process(env);
    MakePool(process);
    process.Do("pool.add_device", {{"pool", "main"}, {"path", kSecond}, {"size", kPoolSize}});
    before = Belongings(process);
  }
  env.RenameDisk(kSecond, kThird);
  Process process(env);
  const Json pool = process.Do("pool.show", {{"pool", "main"}});
  EXPECT_EQ(pool["state"], "unavailable");
  EXPECT_NE(pool["problem"].get<std::string>().find("lacks one of its 2 devices"), std::string::npos) << pool.dump();
  EXPECT_EQ(process.Refusal("pool.import", {{"paths", {kPoolPath}}}), "unavailable");
  const Json found = process.Do("pool.import", {{"paths", {kThird, kPoolPath}}});
  EXPECT_EQ(found["state"], "ok");
  EXPECT_EQ(found["name"], "main");
  EXPECT_EQ(PathsOfPool(process), (std::vector<std::string>{kPoolPath, kThird}));
  EXPECT_EQ(Belongings(process), before) << "and the volumes are served again";
}

TEST(NodeDevices, APoolTravelsWithAllThatBelongsToIt) {
  sim::SimEnv env(34);
  Process process(env);
  MakePool(process);
  process.Do("pool.add_device", {{"pool", "main"}, {"path", kSecond}, {"size", kPoolSize}});
  const Json before = Belongings(process);
  const Json left = process.Do("pool.export", {{"pool", "main"}, {"index", "/stick/main.index"}});
  EXPECT_EQ(left["index"], "/stick/main.index");
  EXPECT_TRUE(process.Do("pool.list").empty());
  EXPECT_TRUE(process.Do("volume.list").empty());
  EXPECT_TRUE(process.Do("replica.list").empty());
  EXPECT_TRUE(process.Do("export.list").empty());
  EXPECT_EQ(process.Refusal("pool.add", {{"name", "main"}, {"path", kPoolPath}}), "unavailable");
  process.Do("pool.create", {{"name", "main"}, {"path", kThird}, {"size", kPoolSize}});
  const Json import = {{"paths", {kSecond, kPoolPath}}, {"index", "/stick/main.index"}};
  EXPECT_EQ(process.Refusal("pool.import", import), "already-exists") << "of the name";
  Json renamed = {{"paths", {kSecond, kPoolPath}}, {"name", "traveller"}};
  const Json imported = process.Do("pool.import", renamed);
  EXPECT_EQ(imported["state"], "ok");
  Json now = Belongings(process);
  for (Json& volume : now["volume.list"]) volume["pool"] = before["volume.list"][0]["pool"];
  EXPECT_EQ(now["volume.list"], before["volume.list"]);
  EXPECT_EQ(now["group.list"], before["group.list"]);
  EXPECT_EQ(now["replica.list"], before["replica.list"]);
  EXPECT_EQ(now["export.list"], before["export.list"]);
  process.Do("replica.modify", {{"replicas", {"nightly"}}, {"operation", "Resync Replica"}});
}

TEST(NodeDevices, APoolIsDeletedAndItsDevicesAreUsedAgain) {
  sim::SimEnv env(39);
  {
    Process process(env);
    MakePool(process);
    const Json old = process.Do("pool.create", {{"name", "old"}, {"path", kSecond}, {"size", kPoolSize}});
    process.Do("pool.add_device", {{"pool", "old"}, {"path", kThird}, {"size", kPoolSize}});
    EXPECT_EQ(process.Refusal("pool.delete", {{"pool", "main"}}), "in-use");
    EXPECT_EQ(process.Refusal("pool.delete", {{"pool", "none"}}), "not-found");
    const std::string index = "/var/lib/lockstep/index/" + old["id"].get<std::string>();
    EXPECT_TRUE(env.files().Stat(index).ok());
    const Json gone = process.Do("pool.delete", {{"pool", "old"}});
    EXPECT_EQ(gone["paths"], (Json{kSecond, kThird}));
    EXPECT_EQ(env.files().Stat(index).status().code(), Code::kNotFound);
    EXPECT_EQ(process.Do("pool.list").size(), 1u);
    EXPECT_EQ(process.Refusal("pool.import", {{"paths", {kSecond, kThird}}}), "not-found");
  }
  env.Crash();
  Process process(env);
  EXPECT_EQ(process.Do("pool.list").size(), 1u);
  process.Do("pool.add_device", {{"pool", "main"}, {"path", kThird}});
  const Json made = process.Do("pool.create", {{"name", "new"}, {"path", kSecond}});
  EXPECT_EQ(made["state"], "ok");
  process.Do("volume.create", {{"name", "v"}, {"size", "16M"}, {"pool", "new"}});
  EXPECT_EQ(process.Do("pool.check", {{"pool", "new"}})["problems"].size(), 0u);
}

TEST(NodeDevices, MakingAVolumeSmallerAsksForConfirmation) {
  sim::SimEnv env(35);
  Process process(env);
  MakePool(process);
  EXPECT_EQ(process.Refusal("volume.resize", {{"volume", "db_1"}, {"size", "8M"}}), "invalid-state");
  EXPECT_EQ(process.Do("volume.show", {{"volume", "db_1"}})["size"], 16 << 20);
  const Json resized = process.Do("volume.resize", {{"volume", "db_1"}, {"size", "8M"}, {"discard_data", true}});
  EXPECT_EQ(resized["size"], 8 << 20);
  EXPECT_EQ(process.Do("volume.resize", {{"volume", "db_1"}, {"size", "32M"}})["size"], 32 << 20);
}

// Cuts the power at every third change of an operation; the node must start again with everything that it had, and be
// able to do the operation then.
void CrashNodeEverywhere(uint64_t seed, const std::function<void(Process&)>& before,
                         const std::function<void(Process&)>& operation, const std::function<void(Process&)>& after) {
  Json belongings;
  sim::ForEachCrashPoint(
      {.seed = seed, .step = 3 * sim::kUsualStep},
      [&](sim::SimEnv& env, sim::CrashPoint& point) {
        Process process(env);
        MakePool(process);
        before(process);
        belongings = Belongings(process);
        point.Arm();
        operation(process);
      },
      [&](sim::SimEnv& env, bool) {
        {
          Process process(env);
          ASSERT_TRUE(process.started().status.ok()) << process.started().status.ToString();
          after(process);
          EXPECT_EQ(Belongings(process), belongings);
        }
        Process again(env);
        EXPECT_EQ(Belongings(again), belongings);
      });
}

void AddSecond(Process& process) {
  process.Do("pool.add_device", {{"pool", "main"}, {"path", kSecond}, {"size", kPoolSize}});
}

TEST(CrashNodeEverywhere, AddDevice) {
  CrashNodeEverywhere(36, [](Process&) {},
                      [](Process& p) {
                        (void)p.Ask("pool.add_device", {{"pool", "main"}, {"path", kSecond}, {"size", kPoolSize}});
                      },
                      [](Process& p) {
                        if (PathsOfPool(p).size() == 1) p.Do("pool.add_device", {{"pool", "main"}, {"path", kSecond}});
                        EXPECT_EQ(p.Do("pool.show", {{"pool", "main"}})["devices"].size(), 2u);
                      });
}
TEST(CrashNodeEverywhere, RemoveDevice) {
  CrashNodeEverywhere(37, AddSecond,
                      [](Process& p) {
                        const Json job = p.Ask("pool.remove_device", {{"pool", "main"}, {"device", kPoolPath}});
                        if (job.is_object() && job.contains("result"))
                          (void)p.Ask("job.watch", {{"job", job["result"]["job"]}});
                      },
                      [](Process& p) {
                        // It goes on by itself if it had begun.
                        for (const Json& job : p.Do("job.list")) {
                          if (job["name"].get<std::string>().starts_with("removing"))
                            (void)p.Ask("job.watch", {{"job", job["id"]}});
                        }
                        const bool there = PathsOfPool(p).size() == 2;
                        const Json job = there ? RemoveAndWait(p, kPoolPath) : Json{{"state", "Completed"}};
                        EXPECT_EQ(job["state"], "Completed") << job.dump();
                        EXPECT_EQ(PathsOfPool(p), std::vector<std::string>{kSecond});
                      });
}
TEST(CrashNodeEverywhere, CreatePool) {
  const Json create = {{"name", "new"}, {"path", kSecond}, {"size", kPoolSize}};
  CrashNodeEverywhere(40, [](Process&) {}, [&](Process& p) { (void)p.Ask("pool.create", create); },
                      [&](Process& p) {
                        if (p.Do("pool.list").size() == 2) return;
                        // The file may have been made.
                        if (p.Refusal("pool.create", create).empty()) return;
                        EXPECT_EQ(p.Do("pool.create", {{"name", "new"}, {"path", kSecond}})["state"], "ok");
                      });
}
TEST(CrashNodeEverywhere, DeletePool) {
  CrashNodeEverywhere(41,
                      [](Process& p) {
                        p.Do("pool.create", {{"name", "old"}, {"path", kSecond}, {"size", kPoolSize}});
                        p.Do("pool.add_device", {{"pool", "old"}, {"path", kThird}, {"size", kPoolSize}});
                      },
                      [](Process& p) { (void)p.Ask("pool.delete", {{"pool", "old"}}); },
                      [](Process& p) {
                        if (p.Do("pool.list").size() == 2) {
                          EXPECT_EQ(p.Do("pool.show", {{"pool", "old"}})["state"], "ok") << "whole";
                          p.Do("pool.delete", {{"pool", "old"}});
                        }
                        p.Do("pool.create", {{"name", "new"}, {"path", kThird}});
                        p.Do("pool.add_device", {{"pool", "new"}, {"path", kSecond}});
                        p.Do("pool.delete", {{"pool", "new"}});
                      });
}
TEST(CrashNodeEverywhere, ExportAndImport) {
  CrashNodeEverywhere(38, AddSecond,
                      [](Process& p) {
                        (void)p.Ask("pool.export", {{"pool", "main"}});
                        (void)p.Ask("pool.import", {{"paths", {kSecond, kPoolPath}}});
                      },
                      [](Process& p) {
                        if (p.Do("pool.list").empty()) p.Do("pool.import", {{"paths", {kSecond, kPoolPath}}});
                        EXPECT_EQ(p.Do("pool.show", {{"pool", "main"}})["state"], "ok");
                      });
}

}  // namespace
}  // namespace lockstep::node
