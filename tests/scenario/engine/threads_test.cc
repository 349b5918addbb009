// The log store with everything real: io_uring or threads, an executor, RocksDB's threads, two loops. Writers check
// themselves while a manager on the other loop takes points and makes clones; small limits keep the folds running all
// the time. What the simulator cannot show, the sanitizers (thread above all) see here.
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <future>

#include "io/posix/env.h"
#include "logstore/logstore.h"
#include "tests/support/aligned_memory.h"

namespace lockstep::test {
namespace {

using block::kBlockSize;

constexpr uint64_t kBlocks = 512;  // of the volume
constexpr int kWriters = 8, kRounds = 150, kClones = 20;

class EngineThreads : public testing::TestWithParam<io::DiskEngine> {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "lockstep-engine-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    io::PosixEnv::Options options;
    options.log_level = LogLevel::kWarn;
    options.disk_engine = GetParam();
    auto env = io::PosixEnv::Create(options);
    ASSERT_TRUE(env.ok()) << env.status().ToString();
    env_ = std::move(*env);
    env_->Start();
  }
  void TearDown() override {
    if (env_) env_->Stop();
    std::filesystem::remove_all(folder_);
  }

  // Runs a task that begins on the data loop; this thread waits.
  void OnDataLoop(Task<void> task) {
    std::promise<void> done;
    env_->data_loop().Post([&] {
      Spawn([](Task<void> t, std::promise<void>& d) -> Task<void> {
        co_await std::move(t);
        d.set_value();
      }(std::move(task), done));
    });
    done.get_future().wait();
  }

  Task<Status> OpenPool(bool format) {
    auto disk = env_->OpenDisk(folder_ + "/pool", 96 << 20);
    LS_CO_RETURN_IF_ERROR(disk.status());
    if (format)
      LS_CO_RETURN_IF_ERROR(
          co_await logstore::Format(**disk, {env_->random().NextUuid()}, {.segment_size = 1 << 20}));
    auto options = logstore::Options::Tiny();
    auto pool = co_await logstore::Open(
        std::move(*disk), folder_ + "/index", options,
        {env_->data_loop(), env_->executor(), env_->files(), env_->random(), env_->log(),
         env_->clock()});
    LS_CO_RETURN_IF_ERROR(pool.status());
    pool_ = std::move(*pool);
    co_return Status();
  }
  Task<void> ClosePool() {
    volume_.reset();
    co_await pool_->Close();
    pool_.reset();
  }

  // A writer owns every kWriters-th block.
  Task<void> Write(int writer) {
    AlignedMemory memory(kBlockSize);
    const io::Buffer buffer = memory.buffer();
    for (int round = 1; round <= kRounds; ++round) {
      const uint64_t block = static_cast<uint64_t>(writer) + kWriters * env_->random().Below(kBlocks / kWriters);
      const uint32_t tag = static_cast<uint32_t>(writer) << 20 | static_cast<uint32_t>(round);
      for (size_t i = 0; i < kBlockSize; i += 4) std::memcpy(memory.data() + i, &tag, 4);
      block::Request r;
      r.op = block::Request::Op::kWrite;
      r.offset = block * kBlockSize;
      r.length = kBlockSize;
      r.buffers = {&buffer, 1};
      r.fua = round % 40 == 0;
      const Status written = co_await block::Run(*volume_, r);
      EXPECT_TRUE(written.ok()) << written.ToString();
      std::memset(memory.data(), 0, kBlockSize);
      r.op = block::Request::Op::kRead;
      r.fua = false;
      const Status read = co_await block::Run(*volume_, r);
      EXPECT_TRUE(read.ok()) << read.ToString();
      uint32_t seen;
      std::memcpy(&seen, memory.data() + kBlockSize - 4, 4);
      EXPECT_EQ(seen, tag);
      last_[block] = tag;
    }
  }

  // Lives on the control loop and goes over for each change, as control does.
  Task<void> Manage() {
    for (int i = 0; i < kClones; ++i) {
      co_await env_->control_loop().Switch();
      EXPECT_TRUE(env_->control_loop().IsCurrent());
      const block::PointId point{env_->random().NextUuid()};
      const block::VolumeId clone{env_->random().NextUuid()};
      co_await env_->data_loop().Switch();
      block::Transaction t{{env_->random().NextUuid()},
                           {block::TakePoint{point, {volume_->id()}}, block::Clone{point, volume_->id(), clone, 0}}};
      const Status applied = co_await pool_->Apply(std::move(t));
      EXPECT_TRUE(applied.ok()) << applied.ToString();
      const auto copied = co_await pool_->CopyUp(clone, 0, kBlocks / 4 * kBlockSize);
      EXPECT_TRUE(copied.ok()) << copied.status().ToString();
      if (i % 3 == 0) {
        block::Transaction gone{{env_->random().NextUuid()}, {block::DeleteVolume{clone}, block::ReleasePoint{point}}};
        const Status deleted = co_await pool_->Apply(std::move(gone));
        EXPECT_TRUE(deleted.ok()) << deleted.ToString();
      }
    }
  }

  Task<void> Load() {
    const Status opened = co_await OpenPool(true);
    LS_ASSERT(opened.ok());
    const block::VolumeId id{env_->random().NextUuid()};
    block::Transaction t{{env_->random().NextUuid()}, {block::CreateVolume{id, kBlocks * kBlockSize}}};
    const Status created = co_await pool_->Apply(std::move(t));
    LS_ASSERT(created.ok());
    volume_ = *pool_->OpenVolume(id);
    int running = kWriters + 1;
    co_await SuspendWith([&](auto resume) {
      auto ended = std::make_shared<decltype(resume)>(std::move(resume));
      const auto start = [&](Task<void> task) {
        Spawn([](Task<void> work, int& left, std::shared_ptr<decltype(resume)> go_on) -> Task<void> {
          co_await std::move(work);
          if (--left == 0) (*go_on)();
        }(std::move(task), running, ended));
      };
      start(Manage());
      for (int w = 0; w < kWriters; ++w) start(Write(w));
    });
    const Status flushed = co_await pool_->Flush();
    EXPECT_TRUE(flushed.ok());
    volume_id_ = id;
    co_await ClosePool();
  }

  Task<void> CheckAll() {
    const Status opened = co_await OpenPool(false);
    LS_ASSERT(opened.ok());
    volume_ = *pool_->OpenVolume(volume_id_);
    AlignedMemory memory(kBlocks * kBlockSize);
    const io::Buffer buffer = memory.buffer();
    block::Request r;
    r.length = kBlocks * kBlockSize;
    r.buffers = {&buffer, 1};
    const Status read = co_await block::Run(*volume_, r);
    EXPECT_TRUE(read.ok()) << read.ToString();
    for (const auto& [block, tag] : last_) {
      uint32_t seen;
      std::memcpy(&seen, memory.data() + block * kBlockSize, 4);
      EXPECT_EQ(seen, tag) << "block " << block;
    }
    co_await ClosePool();
  }

  std::string folder_;
  std::unique_ptr<io::PosixEnv> env_;
  std::unique_ptr<block::Pool> pool_;
  std::shared_ptr<block::Volume> volume_;
  block::VolumeId volume_id_;
  std::map<uint64_t, uint32_t> last_;
};

TEST_P(EngineThreads, WritersPointsAndClonesTogether) {
  OnDataLoop(Load());
  OnDataLoop(CheckAll());
}
INSTANTIATE_TEST_SUITE_P(Disks, EngineThreads, testing::Values(io::DiskEngine::kUring, io::DiskEngine::kThreads));

}  // namespace
}  // namespace lockstep::test
