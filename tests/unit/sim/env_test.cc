// Simulated files, machine and crash points: goal is that a crash takes what was not synced and nothing else, and that
// the crash-point loop visits every change exactly once. Method: small histories, many seeds, sets of outcomes.
#include "sim/env.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "sim/crash_points.h"

namespace lockstep::sim {
namespace {

using Mode = io::FileSystem::Mode;

std::span<const std::byte> Bytes(const std::string& s) { return std::as_bytes(std::span(s)); }

Status WriteFile(io::FileSystem& files, const std::string& path, const std::string& text, bool sync) {
  LS_ASSIGN_OR_RETURN(std::unique_ptr<io::File> file, files.Open(path, Mode::kTruncate));
  LS_RETURN_IF_ERROR(file->Write(0, Bytes(text)));
  return sync ? file->Sync() : Status();
}

// The content, or "-" if the file does not exist.
std::string ReadFile(io::FileSystem& files, const std::string& path) {
  Result<std::unique_ptr<io::File>> file = files.Open(path, Mode::kRead);
  if (!file.ok()) return "-";
  std::string text(*(*file)->Size(), '\0');
  EXPECT_EQ(*(*file)->Read(0, std::as_writable_bytes(std::span(text))), text.size());
  return text;
}

template <typename History>
std::set<std::string> Outcomes(const std::string& path, History history) {
  std::set<std::string> seen;
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    SimEnv env(seed);
    history(env);
    env.Crash();
    seen.insert(ReadFile(env.files(), path));
  }
  return seen;
}

TEST(SimFiles, KeepAFileOnceItAndItsDirectoryAreSynced) {
  EXPECT_EQ(Outcomes("/f",
                     [](SimEnv& env) {
                       ASSERT_TRUE(WriteFile(env.files(), "/f", "text", true).ok());
                       ASSERT_TRUE(env.files().SyncDirectory("/").ok());
                     }),
            (std::set<std::string>{"text"}));
}

TEST(SimFiles, MayLoseTheNameOfASyncedFileWhoseDirectoryWasNot) {
  EXPECT_EQ(Outcomes("/f", [](SimEnv& env) { ASSERT_TRUE(WriteFile(env.files(), "/f", "text", true).ok()); }),
            (std::set<std::string>{"-", "text"}));
}

TEST(SimFiles, MayLoseOrZeroBytesThatWereNotSynced) {
  EXPECT_EQ(Outcomes("/f",
                     [](SimEnv& env) {
                       ASSERT_TRUE(WriteFile(env.files(), "/f", "text", false).ok());
                       ASSERT_TRUE(env.files().SyncDirectory("/").ok());
                     }),
            (std::set<std::string>{"", std::string(4, '\0'), "text"}));
}

TEST(SimFiles, TearOverwritesAtPieces) {
  const std::string old(8192, 'o'), fresh(8192, 'n');
  const std::set<std::string> seen = Outcomes("/f", [&](SimEnv& env) {
    ASSERT_TRUE(WriteFile(env.files(), "/f", old, true).ok());
    ASSERT_TRUE(env.files().SyncDirectory("/").ok());
    auto file = *env.files().Open("/f", Mode::kReadWrite);
    ASSERT_TRUE(file->Write(0, Bytes(fresh)).ok());
  });
  EXPECT_GT(seen.size(), 10u);
  for (const std::string& s : seen) {
    ASSERT_EQ(s.size(), 8192u);
    for (size_t i = 0; i < s.size(); ++i) EXPECT_TRUE(s[i] == s[i / 512 * 512]);
  }
  EXPECT_TRUE(seen.count(old) == 1 && seen.count(fresh) == 1);
}

TEST(SimFiles, KeepDirectoryChangesInOrder) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    SimEnv env(seed);
    for (char c : std::string("abcde")) ASSERT_TRUE(WriteFile(env.files(), std::string("/") + c, "x", true).ok());
    env.Crash();
    const Result<std::vector<std::string>> listed = env.files().List("/");
    std::string names;
    for (const std::string& name : *listed) names += name;
    EXPECT_EQ(names, std::string("abcde").substr(0, names.size())) << "seed " << seed;
  }
}

TEST(SimFiles, ReplaceByRenameAsAWhole) {
  EXPECT_EQ(Outcomes("/f",
                     [](SimEnv& env) {
                       ASSERT_TRUE(WriteFile(env.files(), "/f", "old", true).ok());
                       ASSERT_TRUE(env.files().SyncDirectory("/").ok());
                       ASSERT_TRUE(WriteFile(env.files(), "/f.new", "new", true).ok());
                       ASSERT_TRUE(env.files().Rename("/f.new", "/f").ok());
                     }),
            (std::set<std::string>{"old", "new"}));
}

TEST(SimFiles, ReleaseLocksWithTheirFileAndInACrash) {
  SimEnv env(1);
  auto lock = *env.files().Lock("/lock");
  EXPECT_EQ(env.files().Lock("/lock").status().code(), Code::kInUse);
  lock.reset();
  lock = *env.files().Lock("/lock");
  env.Crash();
  EXPECT_TRUE(env.files().Lock("/lock").ok());
  EXPECT_EQ(lock->Write(0, Bytes("x")).code(), Code::kIoError);
}

TEST(SimEnv, LetsADiskBeOpenedOnce) {
  SimEnv env(1);
  EXPECT_EQ(env.OpenDisk("/d", 0).status().code(), Code::kNotFound);
  auto disk = *env.OpenDisk("/d", 1 << 20);
  EXPECT_EQ(disk->size(), 1u << 20);
  EXPECT_EQ(env.OpenDisk("/d", 0).status().code(), Code::kInUse);
  disk.reset();
  EXPECT_TRUE(env.OpenDisk("/d", 0).ok());
}

TEST(CrashPoints, VisitEveryChangeOnceAndEndWithSuccess) {
  // Create, write, sync, sync of the directory: four changes, so four crashes and one success.
  std::string history;
  const uint64_t last = ForEachCrashPoint(
      {.step = 1},
      [](SimEnv& env, CrashPoint& point) {
        point.Arm();
        if (WriteFile(env.files(), "/f", "text", true).ok()) (void)env.files().SyncDirectory("/");
      },
      [&](SimEnv& env, bool completed) {
        history += completed ? "+" : "-";
        EXPECT_FALSE(env.faults().power_is_cut());
        if (completed) {
          EXPECT_EQ(ReadFile(env.files(), "/f"), "text");
        }
      });
  EXPECT_EQ(last, 5u);
  EXPECT_EQ(history, "----+");
}

}  // namespace
}  // namespace lockstep::sim
