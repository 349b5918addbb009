#include "apps/node/cim.h"

#include <utility>

#include "apps/node/whole_file.h"
#include "smis/permissions.h"

namespace lockstep::node {

namespace {

wbem::HttpServerOptions ServerOptions(const Config::Face& face) {
  wbem::HttpServerOptions options;
  options.connections_max = face.connections_max;
  options.loopback_only = !face.allow_remote;
  return options;
}

}  // namespace

CimFace::CimFace(io::Env& env, control::Control& control, Security& security, CimIdentity identity,
                 const Config& config)
    : env_(env),
      control_(control),
      security_(security),
      identity_(std::move(identity)),
      registry_(schema_),
      enumerations_(env.control_loop(), env.random()),
      rules_(security.audit()),
      core_(registry_, &enumerations_, &rules_),
      gate_(security.authenticator(), config.cim_security.anonymous, "Lockstep"),
      endpoint_(core_, identity_.name, "Lockstep", &gate_),
      server_(env.control_loop(), env.control_network(), env.log(), ServerOptions(config.cim),
              [this](wbem::HttpRequest request, std::string peer, wbem::HttpStream& stream) {
                return endpoint_.Handle(std::move(request), std::move(peer), &stream);
              }) {}

Status CimFace::Load() {
  if (identity_.schema_directory.empty()) {
    return NotFound("no schema directory is set or found: name the folder of the MOF files with schema_directory or "
                    "--schema, or switch the face off with listen = [] in [cim]");
  }
  const auto read = [this](std::string_view file) {
    return ReadWholeFile(env_.files(), identity_.schema_directory + "/" + std::string(file));
  };
  LS_RETURN_IF_ERROR(smis::LoadSchema(schema_, read));
  return smis::AddProviders(registry_, {control_, env_.clock(), env_.log()}, {identity_.node_id, identity_.name});
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
}

}  // namespace lockstep::node
