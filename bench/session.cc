#include "bench/session.h"

#include <filesystem>

#include "tests/support/aligned_memory.h"

namespace lockstep::bench {
namespace {

constexpr size_t kSuperblocks = 8192;  // bytes that Format wants erased (logstore.h)

Task<Status> Run(io::Disk& disk, io::DiskRequest& request) {
  co_await SuspendWith([&disk, &request](auto resume) {
    struct Waiter {
      decltype(resume) go_on;
    };
    request.context = new Waiter{std::move(resume)};
    request.done = [](io::DiskRequest& r) {
      const std::unique_ptr<Waiter> waiter(static_cast<Waiter*>(r.context));
      waiter->go_on();
    };
    disk.Submit(request);
  });
  co_return request.status;
}

}  // namespace

Result<std::unique_ptr<Session>> Session::Create(const Options& options) {
  LS_ASSIGN_OR_RETURN(auto env, io::PosixEnv::Create({.log_level = LogLevel::kWarn}));
  env->Start();
  std::unique_ptr<Session> session(new Session(std::move(env), options));
  LS_RETURN_IF_ERROR(RunOn(session->loop(), session->MakePool()));
  return session;
}

Session::~Session() {
  if (pool_) {
    RunOn(loop(), [](std::unique_ptr<block::Pool> pool) -> Task<bool> {
      co_await pool->Close();
      pool.reset();
      co_return true;
    }(std::move(pool_)));
  }
  env_->Stop();
}

Task<Status> Session::MakePool() {
  std::error_code ignored;  // an index that cannot be removed is reported when it is opened
  std::filesystem::remove_all(options_.index, ignored);
  LS_CO_ASSIGN_OR_RETURN(auto disk, env_->OpenDisk(options_.file, 0));
  test::AlignedMemory zeroes(kSuperblocks);
  std::fill_n(zeroes.data(), zeroes.size(), std::byte{0});
  const io::Buffer buffer = zeroes.buffer();
  io::DiskRequest erase;
  erase.op = io::DiskRequest::Op::kWrite;
  erase.length = kSuperblocks;
  erase.buffers = {&buffer, 1};
  const Status erased = co_await Run(*disk, erase);
  LS_CO_RETURN_IF_ERROR(erased);
  const block::PoolId id{env_->random().NextUuid()};
  const Status formatted = co_await logstore::Format(*disk, id, {});
  LS_CO_RETURN_IF_ERROR(formatted);
  co_return co_await OpenPool(std::move(disk));
}

Task<Status> Session::OpenPool(std::unique_ptr<io::Disk> disk) {
  const logstore::Seams seams{env_->data_loop(), env_->executor(), env_->files(), env_->random(), env_->log(),
                               env_->clock()};
  auto opened = co_await logstore::Open(std::move(disk), options_.index, options_.pool, seams);
  if (opened.ok()) pool_ = std::move(*opened);
  co_return opened.status();
}

Task<Result<io::Duration>> Session::Reopen() {
  co_await pool_->Close();
  pool_.reset();
  const io::Instant begin = env_->clock().Now();
  LS_CO_ASSIGN_OR_RETURN(auto disk, env_->OpenDisk(options_.file, 0));
  LS_CO_RETURN_IF_ERROR(co_await OpenPool(std::move(disk)));
  co_return env_->clock().Now() - begin;
}

Task<Result<std::vector<std::shared_ptr<block::Volume>>>> Session::AddVolumes(size_t count, uint64_t size) {
  block::Transaction create{NewTransaction(), {}};
  std::vector<block::VolumeId> ids;
  for (size_t i = 0; i < count; ++i) {
    ids.push_back({env_->random().NextUuid()});
    create.changes.push_back(block::CreateVolume{ids.back(), size});
  }
  const Status created = co_await pool_->Apply(std::move(create));
  LS_CO_RETURN_IF_ERROR(created);
  std::vector<std::shared_ptr<block::Volume>> volumes;
  for (const block::VolumeId id : ids) {
    LS_CO_ASSIGN_OR_RETURN(auto volume, pool_->OpenVolume(id));
    volumes.push_back(std::move(volume));
  }
  co_return volumes;
}

}  // namespace lockstep::bench
