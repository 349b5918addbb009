// What the real implementations promise beyond the contracts of the seams: goal is the behaviour that only an operating
// system shows. Method: a PosixEnv of its own per test, real sockets and files in a scratch directory.
#include <gtest/gtest.h>

#include <filesystem>
#include <future>
#include <set>

#include "io/posix/env.h"
#include "io/posix/socket_address.h"
#include "io/whole_file.h"

namespace lockstep::io {
namespace {

class PosixTest : public testing::Test {
 protected:
  void SetUp() override {
    directory_ = (std::filesystem::current_path() / "posix-test-XXXXXX").string();
    ASSERT_NE(::mkdtemp(directory_.data()), nullptr);
    PosixEnv::Options options;
    options.log_level = LogLevel::kError;
    env_ = std::move(PosixEnv::Create(options)).value();
  }
  void TearDown() override {
    env_.reset();
    std::filesystem::remove_all(directory_);
  }
  // Runs `work` on the control loop and returns when it has run.
  void OnControl(std::function<void()> work) {
    std::promise<void> ran;
    env_->control_loop().Post([&] {
      work();
      ran.set_value();
    });
    ran.get_future().wait();
  }
  Endpoint UnixEndpoint() const { return {Endpoint::Kind::kUnix, directory_ + "/s", 0}; }

  std::string directory_;
  std::unique_ptr<PosixEnv> env_;
};

TEST_F(PosixTest, ReplacesTheSocketFileOfAProcessThatWasKilled) {
  {
    // A listener that dies without its destructor leaves its file behind.
    const UniqueFd killed = std::move(OpenListeningSocket(UnixEndpoint())).value();
  }
  ASSERT_TRUE(std::filesystem::exists(UnixEndpoint().address));
  const auto listener = env_->control_network().Listen(UnixEndpoint(), [](std::unique_ptr<Stream>) {});
  EXPECT_TRUE(listener.ok()) << listener.status().ToString();
}

TEST_F(PosixTest, NeverReplacesAFileThatIsNotASocket) {
  ASSERT_TRUE(env_->files().Open(UnixEndpoint().address, FileSystem::Mode::kCreateNew).ok());
  const auto listener = env_->control_network().Listen(UnixEndpoint(), [](std::unique_ptr<Stream>) {});
  EXPECT_EQ(listener.status().code(), Code::kInUse);
  EXPECT_TRUE(std::filesystem::is_regular_file(UnixEndpoint().address));
}

TEST_F(PosixTest, WritesFilesForItsOwnerUnlessAllAreToReadThem) {
  using enum std::filesystem::perms;
  ASSERT_TRUE(ReplaceWholeFile(env_->files(), directory_, "own", "x").ok());
  ASSERT_TRUE(ReplaceWholeFile(env_->files(), directory_, "all", "x", Readers::kAll).ok());
  EXPECT_EQ(std::filesystem::status(directory_ + "/own").permissions(), owner_read | owner_write);
  EXPECT_EQ(std::filesystem::status(directory_ + "/all").permissions(),
            owner_read | owner_write | group_read | others_read);
}

TEST_F(PosixTest, RunsTheControlLoopOnTheCallersThreadUntilStopped) {
  bool on_this_thread = false;
  const auto self = std::this_thread::get_id();
  env_->data_loop().Post([&] {
    env_->control_loop().Post([&] {
      on_this_thread = std::this_thread::get_id() == self;
      env_->StopControl();
    });
  });
  env_->StartAndRunControl();
  EXPECT_TRUE(on_this_thread);
}

TEST_F(PosixTest, DestroysWhatIsLeftWhenItStopsAndDropsWhatComesAfter) {
  auto held = std::make_shared<int>(1);
  env_->Start();
  OnControl([&] { env_->control_loop().After(std::chrono::hours(1), [held] {}); });
  env_->Stop();
  env_->control_loop().Post([held] {});
  EXPECT_EQ(held.use_count(), 1);
}

TEST_F(PosixTest, ReportsADiskThatShrankUnderIt) {
  env_->Start();
  for (DiskEngine engine : {DiskEngine::kAutomatic, DiskEngine::kThreads}) {
    const std::string path = directory_ + (engine == DiskEngine::kThreads ? "/threads" : "/automatic");
    std::promise<Status> got;
    std::unique_ptr<Disk> disk;
    alignas(4096) static std::byte memory[8192];
    const Buffer buffer{memory, sizeof(memory)};
    DiskRequest request;
    request.length = sizeof(memory);
    request.buffers = {&buffer, 1};
    request.context = &got;
    request.done = [](DiskRequest& r) { static_cast<std::promise<Status>*>(r.context)->set_value(r.status); };
    auto& loop = static_cast<EpollLoop&>(env_->data_loop());
    disk = std::move(OpenPosixDisk(loop, path, 8192, engine, env_->log())).value();
    std::filesystem::resize_file(path, 4096);
    loop.Post([&] { disk->Submit(request); });
    const Status status = got.get_future().get();
    EXPECT_EQ(status.code(), Code::kIoError);
    EXPECT_NE(status.message().find("truncated"), std::string::npos) << status.message();
    std::promise<void> closed;
    loop.Post([&] {
      disk.reset();
      closed.set_value();
    });
    closed.get_future().wait();
  }
}

TEST_F(PosixTest, RefusesDisksOfImpossibleKindOrSize) {
  EXPECT_EQ(env_->OpenDisk(directory_, 0).status().code(), Code::kInvalidArgument);
  ASSERT_TRUE(env_->files().Open(directory_ + "/odd", FileSystem::Mode::kCreateNew).value()->Truncate(5000).ok());
  EXPECT_EQ(env_->OpenDisk(directory_ + "/odd", 0).status().code(), Code::kInvalidArgument);
}

TEST(OsRandom, DoesNotRepeatItself) {
  OsRandom random;
  std::set<uint64_t> seen;
  for (int i = 0; i < 1000; ++i) seen.insert(random.Next64());
  EXPECT_EQ(seen.size(), 1000u);
}

TEST(SpdlogLog, WritesALineForPeopleOrForTheJournal) {
  testing::internal::CaptureStderr();
  SpdlogLog people(LogLevel::kInfo, SpdlogLog::Format::kTimestamps);
  SpdlogLog journal(LogLevel::kInfo, SpdlogLog::Format::kJournal);
  people.Warn("volume {} is full {{}}", "v1");
  journal.Error("pool {} is gone", "p1");
  people.Debug("not shown");
  const std::string text = testing::internal::GetCapturedStderr();
  EXPECT_NE(text.find("Z warning volume v1 is full {}\n"), std::string::npos) << text;
  EXPECT_NE(text.find("<3>pool p1 is gone\n"), std::string::npos) << text;
  EXPECT_EQ(text.find("not shown"), std::string::npos);
}

}  // namespace
}  // namespace lockstep::io
