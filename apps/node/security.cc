#include "apps/node/security.h"

#include <utility>

#include <fmt/format.h>

#include "apps/node/whole_file.h"

namespace lockstep::node {

namespace {

constexpr char kCertificateFile[] = "cim-certificate.pem", kKeyFile[] = "cim-key.pem";

std::string PathOr(const std::string& configured, const Config& config, std::string_view file) {
  return configured.empty() ? fmt::format("{}/{}", config.data_directory, file) : configured;
}

bool IsMissing(const Status& status) { return status.code() == Code::kNotFound; }

}  // namespace

Security::Security(io::Env& env, const Config& config, access::PasswordCheck pam)
    : env_(env),
      config_(config),
      users_({env.files(), env.executor(), env.control_loop(), env.random(), {}, pam != nullptr},
             PathOr(config.cim_security.users, config, "users")),
      audit_({env.files(), env.executor(), env.control_loop(), env.clock(), env.log()},
             config.data_directory + "/audit.log"),
      authenticator_({env.executor(), env.control_loop(), env.clock(), env.random(), env.log(), std::move(pam)},
                     users_) {}

Status Security::LoadUsers() { return users_.Load(); }

Result<io::KeyPair> Security::ReadIdentity() {
  io::KeyPair identity;
  LS_ASSIGN_OR_RETURN(identity.certificate,
                      ReadWholeFile(env_.files(), PathOr(config_.cim_security.certificate, config_, kCertificateFile)));
  LS_ASSIGN_OR_RETURN(identity.key, ReadWholeFile(env_.files(), PathOr(config_.cim_security.key, config_, kKeyFile)));
  return identity;
}

Result<io::KeyPair> Security::MakeIdentity() {
  std::vector<std::string> names;
  if (!config_.name.empty()) names.push_back(config_.name);
  names.insert(names.end(), {"localhost", "127.0.0.1", "::1"});
  for (const io::Endpoint& at : config_.cim_security.https)
    if (at.kind == io::Endpoint::Kind::kTcp && !at.IsLoopback() && at.address != "0.0.0.0" && at.address != "::")
      names.push_back(at.address);
  LS_ASSIGN_OR_RETURN(io::KeyPair identity, io::MakeSelfSigned(names, env_.clock().Wall()));
  // The key first: a certificate without one would stand in the way of the next start.
  LS_RETURN_IF_ERROR(ReplaceWholeFile(env_.files(), config_.data_directory, kKeyFile, identity.key));
  LS_RETURN_IF_ERROR(ReplaceWholeFile(env_.files(), config_.data_directory, kCertificateFile, identity.certificate));
  return identity;
}

Status Security::LoadCertificate() {
  const CimSecurity& settings = config_.cim_security;
  Result<io::KeyPair> identity = ReadIdentity();
  const bool own = settings.certificate.empty() && settings.key.empty();
  const bool certificate_missing =
      IsMissing(env_.files().Stat(fmt::format("{}/{}", config_.data_directory, kCertificateFile)).status());
  if (!identity.ok() && own && certificate_missing) identity = MakeIdentity();
  if (!identity.ok()) return identity.status().WithContext("[cim] the certificate and its key");
  io::TlsServerOptions options;
  options.identity = *std::move(identity);
  if (!settings.client_ca.empty()) {
    Result<std::string> authorities = ReadWholeFile(env_.files(), settings.client_ca);
    if (!authorities.ok()) return authorities.status().WithContext("[cim] client_ca");
    options.client_authorities = *std::move(authorities);
  }
  Result<std::unique_ptr<io::TlsContext>> made = io::TlsContext::ForServer(options);
  if (!made.ok()) return made.status().WithContext("[cim] the certificate and its key");
  if (tls_) tls_->Become(*std::move(made));
  else tls_ = *std::move(made);
  identity_ = std::move(options.identity);
  const Result<std::string> fingerprint = io::Fingerprint(identity_.certificate);
  env_.log().Info("wbem: the certificate's SHA-256 fingerprint is {}", fingerprint.ok() ? *fingerprint : "unknown");
  return {};
}

Task<void> Security::Stop() {
  Task<void> stop = audit_.Stop();
  co_await std::move(stop);
}

}  // namespace lockstep::node
