#include "apps/node/node.h"

#include <utility>

#include <fmt/format.h>

#include "apps/node/cim.h"
#include "apps/node/exports.h"
#include "apps/node/pools.h"
#include "apps/node/security.h"
#include "apps/node/whole_file.h"
#include "catalog/catalog.h"

namespace lockstep::node {

namespace {

std::vector<std::string> Texts(const std::vector<io::Endpoint>& endpoints) {
  std::vector<std::string> texts;
  for (const io::Endpoint& endpoint : endpoints) texts.push_back(endpoint.ToString());
  return texts;
}

nbd::Limits NbdLimits(const Config& config) {
  nbd::Limits limits;
  limits.connections = config.nbd.connections_max;
  return limits;
}

}  // namespace

Node::Node(io::Env& env, Config config, std::string version, access::PasswordCheck pam)
    : env_(env),
      config_(std::move(config)),
      version_(std::move(version)),
      pam_(std::move(pam)),
      started_(env.clock().Wall()),
      announcement_(env.files(), config_.cim_security.announce) {}

Node::~Node() { LS_ASSERT(control_ == nullptr); }

Status Node::OpenDataDirectory() {
  io::FileSystem& files = env_.files();
  LS_RETURN_IF_ERROR(MakeDirectories(files, config_.data_directory + "/index"));
  auto lock = files.Lock(config_.data_directory + "/lock");
  if (!lock.ok()) {
    return lock.status().WithContext(fmt::format("another lockstepd uses the data directory {}",
                                                 config_.data_directory));
  }
  lock_ = std::move(lock).value();
  LS_ASSIGN_OR_RETURN(node_id_, NodeId());
  return Status::Ok();
}

Result<std::string> Node::NodeId() {
  const std::string path = config_.data_directory + "/node-id";
  Result<std::string> text = ReadWholeFile(env_.files(), path);
  if (text.ok()) {
    while (text->ends_with('\n')) text->pop_back();
    const auto id = Uuid::Parse(*text);
    if (!id.ok()) return Corrupted(fmt::format("{} holds no id: put back the copy of a backup", path));
    return id->ToString();
  }
  if (text.status().code() != Code::kNotFound) return text.status();
  const std::string id = env_.random().NextUuid().ToString();
  LS_RETURN_IF_ERROR(ReplaceWholeFile(env_.files(), config_.data_directory, "node-id", id + "\n"));
  return id;
}

Task<Status> Node::StartControl() {
  auto catalog = catalog::Catalog::Open(env_.files(), config_.data_directory + "/catalog.db", env_.log());
  if (!catalog.ok()) co_return catalog.status();
  pools_ = std::make_unique<LogstorePools>(env_, config_.data_directory + "/index", config_.warn_used,
                                           config_.pool_memory);
  exports_ = std::make_unique<ExportHub>(env_, NbdLimits(config_));
  control::Surroundings surroundings{env_.control_loop(), env_.data_loop(), env_.clock(), env_.random(),
                                     env_.log(),          *pools_,          *exports_,    *exports_,
                                     {config_.scrub_every_seconds, config_.scrub_rate},
                                     config_.devices};
  control_ = std::make_unique<control::Control>(surroundings, std::move(catalog).value());
  control_started_ = true;
  co_return co_await control_->Start();
}

admin::NodeFacts Node::Facts() const {
  return {version_, config_.data_directory, Texts(nbd_endpoints_), Texts(cim_endpoints_),
          Texts(cim_https_endpoints_), started_};
}

Task<Status> Node::Serve() {
  for (const io::Endpoint& endpoint : config_.nbd.listen) {
    auto taken = co_await exports_->Listen(endpoint);
    if (!taken.ok()) co_return taken.status();
    nbd_endpoints_.push_back(std::move(taken).value());
  }
  for (const io::Endpoint& endpoint : config_.cim.listen) {
    auto taken = cim_->Listen(endpoint);
    if (!taken.ok()) co_return taken.status();
    cim_endpoints_.push_back(std::move(taken).value());
  }
  for (const io::Endpoint& endpoint : config_.cim_security.https) {
    auto taken = cim_->ListenTls(endpoint);
    if (!taken.ok()) co_return taken.status();
    cim_https_endpoints_.push_back(std::move(taken).value());
  }
  LS_CO_RETURN_IF_ERROR(announcement_.Make(config_.name.empty() ? node_id_ : config_.name, cim_https_endpoints_));
  if (config_.admin_socket.empty()) co_return Status::Ok();
  admin_ = std::make_unique<admin::Server>(
      admin::ServerSurroundings{env_.control_loop(), env_.control_network(), env_.log(), *control_, &security_->users(),
                                &security_->audit()},
      Facts());
  co_return admin_->Listen({io::Endpoint::Kind::kUnix, config_.admin_socket, 0});
}

Task<StartResult> Node::Start() {
  Status status = OpenDataDirectory();
  if (!status.ok()) co_return StartResult{StartFailure::kDataDirectory, std::move(status)};
  status = co_await StartControl();
  if (!status.ok()) co_return StartResult{StartFailure::kCatalog, std::move(status)};
  security_ = std::make_unique<Security>(env_, config_, pam_);
  status = security_->LoadUsers();
  if (status.ok() && !config_.cim_security.https.empty()) status = security_->LoadCertificate();
  if (!status.ok()) co_return StartResult{StartFailure::kSecurity, std::move(status)};
  if (!config_.cim.listen.empty() || !config_.cim_security.https.empty()) {
    CimIdentity identity{node_id_, config_.name.empty() ? node_id_ : config_.name, config_.schema_directory,
                         config_.data_directory};
    cim_ = std::make_unique<CimFace>(env_, *control_, *security_, std::move(identity), config_);
    status = cim_->Load();
    if (!status.ok()) co_return StartResult{StartFailure::kSchema, std::move(status)};
  }
  status = co_await Serve();
  if (!status.ok()) co_return StartResult{StartFailure::kListen, std::move(status)};
  env_.log().Info("node {} is ready: {} pools, {} volumes", node_id_, control_->Pools().size(),
                  control_->Volumes().size());
  co_return StartResult{};
}

void Node::Reload() {
  if (!cim_) return;
  Status status;
  if (security_->tls() != nullptr) status = security_->LoadCertificate();
  if (status.ok()) status = cim_->TrustListeners();
  if (!status.ok()) env_.log().Error("certificates are used as they were: {}", status.message());
}

Task<void> Node::Stop() {
  if (const Status withdrawn = announcement_.Withdraw(); !withdrawn.ok()) env_.log().Warn("{}", withdrawn.message());
  if (admin_) co_await admin_->Stop();
  admin_.reset();
  if (cim_) co_await cim_->Stop();
  if (control_started_) co_await control_->Stop();
  if (exports_) co_await exports_->Stop();
  if (security_) co_await security_->Stop();
  cim_.reset();
  security_.reset();
  control_.reset();
  exports_.reset();
  pools_.reset();
  // A pool whose last reference was dropped here ends on the data loop: it has when that loop has come to this.
  co_await env_.data_loop().Switch();
  co_await env_.control_loop().Switch();
  lock_.reset();
}

}  // namespace lockstep::node
