#include "apps/node/cim.h"

#include <utility>

#include <fmt/format.h>

#include "apps/node/whole_file.h"
#include "smis/permissions.h"
#include "wbem/indication_providers.h"

namespace lockstep::node {

namespace {

constexpr const char* kSubscriptions = "subscriptions";

wbem::HttpServerOptions ServerOptions(const Config::Face& face) {
  wbem::HttpServerOptions options;
  options.connections_max = face.connections_max;
  options.loopback_only = !face.allow_remote;
  return options;
}

}  // namespace

Result<std::string> SubscriptionFile::Load() { return ReadWholeFile(files_, directory_ + "/" + kSubscriptions); }

Status SubscriptionFile::Save(std::string_view text) {
  return ReplaceWholeFile(files_, directory_, kSubscriptions, text);
}

Result<std::string> SubscriptionFile::SetAside() {
  const std::string path = directory_ + "/" + kSubscriptions, aside = path + ".damaged";
  LS_RETURN_IF_ERROR(files_.Rename(path, aside));
  LS_RETURN_IF_ERROR(files_.SyncDirectory(directory_));
  return aside;
}

CimFace::CimFace(io::Env& env, control::Control& control, Security& security, CimIdentity identity,
                 const Config& config)
    : env_(env),
      control_(control),
      security_(security),
      identity_(std::move(identity)),
      warn_used_(config.warn_used),
      listener_ca_(config.cim_security.listener_ca),
      registry_(schema_),
      enumerations_(env.control_loop(), env.random()),
      rules_(security.audit()),
      core_(registry_, &enumerations_, &rules_),
      gate_(security.authenticator(), config.cim_security.anonymous, "Lockstep"),
      endpoint_(core_, identity_.name, "Lockstep", &gate_),
      server_(env.control_loop(), env.control_network(), env.log(), ServerOptions(config.cim),
              [this](wbem::HttpRequest request, std::string peer, wbem::HttpStream& stream) {
                return endpoint_.Handle(std::move(request), std::move(peer), &stream);
              }),
      plain_(env.control_network(), env.control_resolver()),
      transport_(env.control_loop(), plain_),
      subscriptions_(env.files(), identity_.data_directory) {}

CimFace::~CimFace() = default;

Status CimFace::Load() {
  if (identity_.schema_directory.empty()) {
    return NotFound("no schema directory is set or found: name the folder of the MOF files with schema_directory or "
                    "--schema, or switch the face off with listen = [] in [cim]");
  }
  const auto read = [this](std::string_view file) {
    return ReadWholeFile(env_.files(), identity_.schema_directory + "/" + std::string(file));
  };
  LS_RETURN_IF_ERROR(smis::LoadSchema(schema_, read));
  LS_RETURN_IF_ERROR(TrustListeners());
  const smis::Surroundings surroundings{control_, env_.clock(), env_.log(), true};
  const smis::Identity identity{identity_.node_id, identity_.name};
  const std::string interop(smis::kInteropNamespace);
  LS_RETURN_IF_ERROR(smis::AddProviders(registry_, surroundings, identity));
  indications_ = std::make_unique<wbem::IndicationService>(
      wbem::IndicationService::Surroundings{env_.control_loop(), env_.clock(), env_.random(), env_.log(), schema_,
                                            transport_, subscriptions_},
      interop, smis::ServerOf(identity));
  LS_RETURN_IF_ERROR(indications_->AddFixedFilters(smis::FixedFilters()));
  LS_RETURN_IF_ERROR(wbem::RegisterIndicationClasses(registry_, interop, *indications_));
  LS_RETURN_IF_ERROR(indications_->Load());
  source_ = std::make_unique<smis::IndicationSource>(env_.control_loop(), surroundings, identity, *indications_,
                                                     warn_used_);
  source_->Start();
  return {};
}

Status CimFace::TrustListeners() {
  if (listener_ca_.empty()) return {};
  Result<std::string> authorities = ReadWholeFile(env_.files(), listener_ca_);
  if (!authorities.ok()) return authorities.status().WithContext("[cim] listener_ca");
  return transport_.Trust(*std::move(authorities), security_.identity()).WithContext("[cim] listener_ca");
}

access::Role CimFace::Rules::NeededRole(const wbem::ClassDecl& cls, std::string_view act) const {
  return smis::NeededRole(cls.name, act);
}

void CimFace::Rules::Record(const wbem::Deed& deed) {
  audit_.Record({deed.caller.user, std::string(access::RoleName(deed.caller.role)), deed.caller.peer,
                 std::string(deed.what), std::string(deed.result)});
}

Result<io::Endpoint> CimFace::ListenTls(const io::Endpoint& at) { return server_.Listen(at, security_.tls()); }

Result<io::Endpoint> CimFace::Listen(const io::Endpoint& at) { return server_.Listen(at); }

Task<void> CimFace::Stop() {
  Task<void> stop = server_.Stop();
  co_await std::move(stop);
  enumerations_.Clear();
  if (source_) {
    Task<void> end = source_->Stop();
    co_await std::move(end);
  }
  if (indications_) indications_->Stop();
}

}  // namespace lockstep::node
