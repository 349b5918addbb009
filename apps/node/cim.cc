#include "apps/node/cim.h"

#include <utility>

#include "apps/node/whole_file.h"

namespace lockstep::node {

namespace {

wbem::HttpServerOptions ServerOptions(const Config::Face& face) {
  wbem::HttpServerOptions options;
  options.connections_max = face.connections_max;
  options.loopback_only = !face.allow_remote;
  return options;
}

}  // namespace

CimFace::CimFace(io::Env& env, control::Control& control, CimIdentity identity, const Config::Face& face)
    : env_(env),
      control_(control),
      identity_(std::move(identity)),
      registry_(schema_),
      enumerations_(env.control_loop(), env.random()),
      core_(registry_, &enumerations_),
      endpoint_(core_, identity_.name),
      server_(env.control_loop(), env.control_network(), env.log(), ServerOptions(face),
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

Result<io::Endpoint> CimFace::Listen(const io::Endpoint& at) { return server_.Listen(at); }

Task<void> CimFace::Stop() {
  Task<void> stop = server_.Stop();
  co_await std::move(stop);
  enumerations_.Clear();
}

}  // namespace lockstep::node
