// Goal: after a crash at any step of any change, catalog and engine agree, and the change is there as a whole or not at
// all. Method: the power is cut at change 1, 2, 3, ... of the files and the pool, until the use case gets through.

#include <functional>

#include "sim/crash_points.h"
#include "tests/unit/control/fixture.h"

namespace lockstep::control {
namespace {

// What can be seen from outside, without ids and times.
struct Picture {
  std::multiset<std::string> lines;
  bool operator==(const Picture&) const = default;
};

Picture Look(const Control& control) {
  Picture picture;
  const auto add = [&](std::string line) { picture.lines.insert(std::move(line)); };
  for (const PoolView& view : control.Pools()) add("pool " + view.record.name + " " + view.state.ToString());
  for (const VolumeView& view : control.Volumes()) {
    add("volume " + view.record.name + " " + std::to_string(view.record.size) + " " +
        std::to_string(view.window.seconds));
  }
  for (const RelationshipView& view : control.Relationships()) {
    add("pair " + std::string(catalog::Name(view.record.state)) + (view.record.group.IsNil() ? "" : " of a group"));
  }
  for (const GroupRelationshipView& view : control.GroupRelationships()) {
    add("relation " + view.record.name + " " + std::to_string(view.pairs.size()));
  }
  for (const catalog::GroupRecord& group : control.Groups()) {
    add("group " + group.name + " " + std::to_string(group.members.size()));
  }
  for (const PointView& view : control.Points()) add("point of " + std::to_string(view.record.volumes.size()));
  for (const catalog::AspectRecord& aspect : control.Aspects())
    add("aspect " + aspect.name + " " + std::to_string(static_cast<int>(aspect.state)));
  for (const ExportView& view : control.Exports()) add("export " + view.record.name);
  return picture;
}

void ExpectCatalogAndEngineAgree(const Control& control, const test::MemoryStorage& storage) {
  std::set<VolumeId> volumes;
  for (const VolumeView& view : control.Volumes()) {
    volumes.insert(view.record.id);
    const auto found = storage.now.volumes.find(view.record.id);
    ASSERT_NE(found, storage.now.volumes.end()) << view.record.name << " is not in the engine";
    EXPECT_EQ(found->second.size, view.record.size) << view.record.name;
  }
  EXPECT_EQ(volumes.size(), storage.now.volumes.size()) << "the engine has volumes that nobody knows";
  for (const PointView& view : control.Points()) {
    EXPECT_TRUE(storage.now.points.contains(view.record.id));
    EXPECT_FALSE(view.relationships.empty() && view.aspects.empty()) << "a point that nobody holds";
  }
  EXPECT_EQ(control.Points().size(), storage.now.points.size());
}

struct Scene {
  Node& node;
  VolumeId a, b, c;              // a and b are members of `group`
  GroupId group;
  GroupReplicaResult snapshots;  // of the group
  AspectId aspect;               // of the group
  RelationshipId single;         // a clone of `a` that belongs to no group
};

using UseCase = std::function<Status(Scene&)>;

Status Modify(Scene& scene, Operation operation) {
  ModifyReplicaRequest request;
  request.operation = operation;
  request.synchronization = scene.snapshots.synchronization;
  return scene.node.Run(scene.node->ModifyReplica(request)).status();
}

Status OfAspect(Scene& scene, replication::AspectOperation operation) {
  ModifyAspectsRequest request;
  request.operation = operation;
  request.settings_states = {{scene.aspect, {}}};
  return scene.node.Run(scene.node->ModifyAspects(request)).status();
}

template <typename T>
T Must(Result<T> result) {
  EXPECT_TRUE(result.ok()) << result.status().ToString();
  return result.ok() ? std::move(*result) : T{};
}

// Two volumes in a group that has a group snapshot, one of them exported.
Scene SetTheScene(Node& node) {
  const PoolId pool = Must(node.Run(node->CreatePool({"p", "/dev/p", 64 * kMiB})));
  const std::vector<VolumeId> made = Must(node.Run(node->CreateVolumes({pool, "v", kMiB, 3})));
  const GroupId group = Must(node.Run(node->CreateGroup({"g", {made[0], made[1]}, {}, {}, {}, {}})));
  CreateGroupReplicaRequest request;
  request.source_group = group;
  request.relationship_name = "r";
  GroupReplicaResult snapshots = Must(node.Run(node->CreateGroupReplica(request)));
  Must(node.Run(node->CreateExport({snapshots.target_elements[0], "x", false})));
  EXPECT_TRUE(node.Run(node->SetHistory({made[0]}, {60, 0})).ok());
  CreateAspectRequest aspect;
  aspect.name = "aspect";
  aspect.source_group = group;
  const AspectId taken = Must(node.Run(node->CreateAspect(aspect)));
  CreateElementReplicaRequest single{{}, "single", made[0], {}};
  single.options.sync_type = SyncType::kSnapshot;
  const ReplicaResult pair = Must(node.Run(node->CreateElementReplica(single)));
  return {node, made[0], made[1], made[2], group, std::move(snapshots), taken, pair.synchronization};
}

struct Case {
  const char* name;
  UseCase run;
  UseCase prepare = nullptr;
};

Status MakeSecondPool(Scene& scene) { return scene.node.Run(scene.node->CreatePool({"q", "/dev/q", kMiB})).status(); }
Status DeleteSecondPool(Scene& scene) {
  return scene.node.Run(scene.node->DeletePool(scene.node->PoolByName("q")->record.id));
}

const std::vector<Case>& Cases() {
  static const std::vector<Case> cases = {
      {"CreateVolumes", [](Scene& s) { return s.node.Run(s.node->CreateVolumes({{}, "new", kMiB, 3})).status(); }},
      {"ResizeVolume", [](Scene& s) { return s.node.Run(s.node->ResizeVolume(s.a, 2 * kMiB)); }},
      {"CreateElementReplica",
       [](Scene& s) { return s.node.Run(s.node->CreateElementReplica({{}, "", s.a, {}})).status(); }},
      {"CreateListReplica",
       [](Scene& s) { return s.node.Run(s.node->CreateListReplica({{}, {}, {s.a, s.b}, {}, {}})).status(); }},
      {"CreateGroupReplica",
       [](Scene& s) {
         CreateGroupReplicaRequest request;
         request.options.sync_type = SyncType::kClone;
         request.source_group = s.group;
         return s.node.Run(s.node->CreateGroupReplica(request)).status();
       }},
      {"CreateGroupReplicaFromElements",
       [](Scene& s) {
         CreateGroupReplicaFromElementsRequest request;
         request.source_elements = {s.a, s.b};
         return s.node.Run(s.node->CreateGroupReplicaFromElements(request)).status();
       }},
      {"Resync", [](Scene& s) { return Modify(s, Operation::kResyncReplica); }},
      {"Restore", [](Scene& s) { return Modify(s, Operation::kRestoreFromReplica); }},
      {"Deactivate", [](Scene& s) { return Modify(s, Operation::kDeactivate); }},
      {"Split", [](Scene& s) { return Modify(s, Operation::kSplit); }},
      {"Detach", [](Scene& s) { return Modify(s, Operation::kDetach); }},
      {"Dissolve", [](Scene& s) { return Modify(s, Operation::kDissolve); }},
      {"ReturnToResourcePool", [](Scene& s) { return Modify(s, Operation::kReturnToResourcePool); }},
      {"SetHistory", [](Scene& s) { return s.node.Run(s.node->SetHistory({s.a, s.b}, {3600, 0})); }},
      {"CloneVolumes",
       [](Scene& s) { return s.node.Run(s.node->CloneVolumes({{s.a, s.b}, {"a_now", "b_now"}, {}})).status(); }},
      {"RevertVolumes",
       [](Scene& s) {
         return s.node.Run(s.node->RevertVolumes({{s.a}, {s.node->Volume(s.a)->history_from, {}, {}}, false}));
       }},
      {"CreateAspect",
       [](Scene& s) {
         CreateAspectRequest request;
         request.name = "another";
         request.source_group = s.group;
         return s.node.Run(s.node->CreateAspect(request)).status();
       }},
      {"DeleteAspect", [](Scene& s) { return s.node.Run(s.node->DeleteAspect(s.aspect)); }},
      {"CopyAspectToTarget", [](Scene& s) { return OfAspect(s, replication::AspectOperation::kCopyToTarget); }},
      {"RestoreFromAspect", [](Scene& s) { return OfAspect(s, replication::AspectOperation::kRestore); }},
      {"CreateGroupFromPairs",
       [](Scene& s) {
         GroupFromPairsRequest request;
         request.relationship_name = "made of pairs";
         request.pairs = {s.single};
         return s.node.Run(s.node->CreateGroupFromPairs(request)).status();
       }},
      {"AddElementsToGroup",
       [](Scene& s) {
         AddElementsRequest request;
         request.synchronized = s.snapshots.synchronization;
         request.options.sync_type = SyncType::kSnapshot;
         request.source_elements = {s.c};
         return s.node.Run(s.node->AddElementsToGroup(request)).status();
       }},
      {"CreatePool", MakeSecondPool},
      {"DeletePool", DeleteSecondPool, MakeSecondPool},
  };
  return cases;
}

class CrashTest : public testing::TestWithParam<size_t> {};

TEST_P(CrashTest, TheChangeIsThereAsAWholeOrNotAtAll) {
  const UseCase& use_case = Cases()[GetParam()].run;
  const UseCase& prepare = Cases()[GetParam()].prepare;
  for (uint64_t seed = 1; seed <= 2; ++seed) {
    sim::CrashPoints points;
    points.seed = seed;
    Media media;
    Picture before, after;
    bool answered_ok = false;
    {
      // What it looks like when nothing goes wrong.
      sim::SimEnv env(seed);
      Media calm;
      Node node(env, calm);
      Scene scene = SetTheScene(node);
      if (prepare) {
        ASSERT_TRUE(prepare(scene).ok());
      }
      before = Look(*node);
      const Status done = use_case(scene);
      ASSERT_TRUE(done.ok()) << done.ToString();
      after = Look(*node);
    }
    ForEachCrashPoint(
        points,
        [&](sim::SimEnv& env, sim::CrashPoint& point) {
          media.clear();
          Node node(env, media);
          ASSERT_TRUE(node.started()) << node.start().ToString();
          Scene scene = SetTheScene(node);
          if (prepare) {
            ASSERT_TRUE(prepare(scene).ok());
          }
          point.Arm();
          answered_ok = use_case(scene).ok();
        },
        [&](sim::SimEnv& env, bool completed) {
          Node node(env, media);
          ASSERT_TRUE(node.started()) << node.start().ToString();
          const Picture now = Look(*node);
          EXPECT_TRUE(now == before || now == after) << "half a change";
          if (answered_ok) {
            EXPECT_TRUE(now == after) << "a change that was answered with OK is lost";
          }
          EXPECT_TRUE(answered_ok || !completed);
          ExpectCatalogAndEngineAgree(*node, *media["/dev/p"]);
          EXPECT_EQ(media.contains("/dev/q"), node->PoolByName("q").ok()) << "what is no pool is free";
          // Life goes on.
          EXPECT_TRUE(node.Run(node->CreateVolumes({node->PoolByName("p")->record.id, "later", kMiB, 1})).ok());
        });
  }
}

INSTANTIATE_TEST_SUITE_P(UseCases, CrashTest, testing::Range<size_t>(0, Cases().size()),
                         [](const auto& param) { return Cases()[param.param].name; });

TEST(CrashDuringStartTest, AnIntentThatIsSettledIsSettledOnce) {
  Media media;
  sim::CrashPoints points;
  // Leaves an applied intent behind, then cuts the power at every change of the start that settles it.
  ForEachCrashPoint(
      points,
      [&](sim::SimEnv& env, sim::CrashPoint& point) {
        media.clear();
        {
          Node node(env, media);
          SetTheScene(node);
          // The intent is written and the pool changed; recording that fails.
          node.opener().at("/dev/p")->AfterApply(
              [&] { env.faults().FailFrom(1, sim::Only(sim::IoKind::kFileSync)); });
          EXPECT_FALSE(node.Run(node->CreateVolumes({{}, "new", kMiB, 1})).ok());
          ASSERT_EQ(media["/dev/p"]->now.volumes.size(), 7u);
          env.faults().Clear();
        }
        point.Arm();
        Node again(env, media);
      },
      [&](sim::SimEnv& env, bool) {
        Node node(env, media);
        ASSERT_TRUE(node.started()) << node.start().ToString();
        EXPECT_TRUE(node->VolumeByName("new").ok());
        ExpectCatalogAndEngineAgree(*node, *media["/dev/p"]);
      });
}

TEST(FailedPoolTest, AnIntentWaitsForItsPool) {
  sim::SimEnv env(1);
  Media media;
  {
    Node node(env, media);
    SetTheScene(node);
    env.faults().FailAt(1, sim::Only(sim::IoKind::kDiskFlush));
    EXPECT_EQ(node.Run(node->CreateVolumes({{}, "new", kMiB, 1})).status().code(), Code::kIoError);
    EXPECT_EQ(node->PoolByName("p")->state.code(), Code::kIoError);
    EXPECT_EQ(node.Run(node->CreateVolumes({{}, "other", kMiB, 1})).status().code(), Code::kInvalidState);
  }
  const auto pool = media.extract("/dev/p");
  {
    Node node(env, media);
    ASSERT_TRUE(node.started()) << node.start().ToString();
    EXPECT_TRUE(env.sim_log().Has("waits for its pool"));
  }
  media["/dev/p"] = pool.mapped();
  Node node(env, media);
  ASSERT_TRUE(node.started()) << node.start().ToString();
  EXPECT_TRUE(env.sim_log().Has("was not made when Lockstep ended"));
  ExpectCatalogAndEngineAgree(*node, *media["/dev/p"]);
}

}  // namespace
}  // namespace lockstep::control
