#include "apps/lockstepd/settings.h"

#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>

#include <fmt/format.h>
#include <lockstep_version.h>

namespace lockstep::daemon {

namespace {

// Where the MOF files are: beside an installed program (wherever the tree was moved to), where it was to be installed,
// or where it was built.
std::string FindSchema() {
  namespace fs = std::filesystem;
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  const fs::path candidates[] = {program.parent_path().parent_path() / "share/lockstep/schema", kInstalledSchema,
                                 kSourceSchema};
  for (const fs::path& candidate : candidates) {
    if (fs::is_directory(candidate, error)) return candidate.string();
  }
  return {};
}

std::string HostName() {
  char name[256] = {};
  return ::gethostname(name, sizeof name - 1) == 0 ? name : "";
}

Result<node::Config> ReadFile(const CommandLine& line) {
  const std::string path = line.config.value_or(kDefaultConfig);
  std::ifstream file(path);
  if (!file) {
    const int error = errno;
    if (!line.config && error == ENOENT) return node::Config();
    return FromErrno(error, fmt::format("cannot read the configuration {}", path));
  }
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  return node::ParseConfig(text, path);
}

Status PutEndpoints(const std::vector<std::string>& texts, std::vector<io::Endpoint>& to) {
  if (texts.empty()) return Status::Ok();
  std::vector<io::Endpoint> endpoints;
  for (const std::string& text : texts) {
    if (text == "off" && texts.size() == 1) break;
    LS_ASSIGN_OR_RETURN(io::Endpoint endpoint, io::Endpoint::Parse(text));
    endpoints.push_back(std::move(endpoint));
  }
  to = std::move(endpoints);
  return Status::Ok();
}

Status PutCim(const CommandLine& line, node::Config& config) {
  LS_RETURN_IF_ERROR(PutEndpoints(line.cim, config.cim.listen));
  // Who says where the face is to be means the whole of it.
  if (!line.cim.empty() && line.cim_https.empty()) config.cim_security.https.clear();
  LS_RETURN_IF_ERROR(PutEndpoints(line.cim_https, config.cim_security.https));
  if (line.cim_anonymous && line.cim_anonymous->empty()) config.cim_security.anonymous.reset();
  if (line.cim_anonymous && !line.cim_anonymous->empty()) {
    LS_ASSIGN_OR_RETURN(config.cim_security.anonymous, access::ParseRole(*line.cim_anonymous));
  }
  return node::CheckFace("cim", config.cim);
}

}  // namespace

Result<node::Config> LoadSettings(const CommandLine& line) {
  LS_ASSIGN_OR_RETURN(node::Config config, ReadFile(line));
  if (line.data_directory) config.data_directory = *line.data_directory;
  if (line.schema_directory) config.schema_directory = *line.schema_directory;
  if (line.admin_socket) config.admin_socket = *line.admin_socket;
  if (line.log_level) {
    LS_ASSIGN_OR_RETURN(config.log_level, node::ParseLogLevel(*line.log_level));
  }
  LS_RETURN_IF_ERROR(PutEndpoints(line.nbd, config.nbd.listen));
  LS_RETURN_IF_ERROR(node::CheckFace("nbd", config.nbd));
  LS_RETURN_IF_ERROR(PutCim(line, config));
  // A relative path would mean something else to whoever starts the daemon next.
  config.data_directory = std::filesystem::absolute(config.data_directory).lexically_normal().string();
  if (config.schema_directory.empty()) config.schema_directory = FindSchema();
  if (config.name.empty()) config.name = HostName();
  return config;
}

}  // namespace lockstep::daemon
