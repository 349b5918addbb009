#include "apps/node/config.h"

#include <initializer_list>
#include <utility>

// Parse errors come back as values; the library is used as headers only, because Debian's shared one throws.
#define TOML_EXCEPTIONS 0
#define TOML_HEADER_ONLY 1
#include <fmt/format.h>
#include <toml++/toml.h>

#include "base/units.h"

namespace lockstep::node {

namespace {

// Reads the settings of one [section]. The first thing that is wrong is kept; later calls then do nothing.
class Section {
 public:
  // `table` may be null: the section is not in the file.
  Section(std::string_view file, std::string_view name, const toml::table* table)
      : file_(file), name_(name), table_(table) {}

  void String(std::string_view key, std::string& to) {
    const toml::node* node = Take(key);
    if (node == nullptr) return;
    if (const auto value = node->value_exact<std::string>()) to = *value;
    else Fail(*node, fmt::format("{} must be a string in quotes", key));
  }

  void Path(std::string_view key, std::string& to) {
    const toml::node* node = Take(key);
    if (node == nullptr) return;
    const auto value = node->value_exact<std::string>();
    if (value && (value->empty() || value->front() == '/')) to = *value;
    else Fail(*node, fmt::format("{} must be an absolute path in quotes", key));
  }

  void Paths(std::string_view key, std::vector<std::string>& to) {
    const toml::node* node = Take(key);
    if (node == nullptr) return;
    const toml::array* array = node->as_array();
    if (array == nullptr) return Fail(*node, fmt::format("{} must be a list of paths, as in [\"/dev/sdb\"]", key));
    std::vector<std::string> paths;
    for (const toml::node& element : *array) {
      const auto path = element.value_exact<std::string>();
      if (!path || !path->starts_with('/') || path->find('\n') != std::string::npos)
        return Fail(element, fmt::format("{} must list absolute paths in quotes", key));
      for (const std::string& other : paths)
        if (other == *path) return Fail(element, fmt::format("{} has {} twice", key, *path));
      paths.push_back(*path);
    }
    to = std::move(paths);
  }

  void Bool(std::string_view key, bool& to) {
    const toml::node* node = Take(key);
    if (node == nullptr) return;
    if (const auto value = node->value_exact<bool>()) to = *value;
    else Fail(*node, fmt::format("{} must be true or false", key));
  }

  void Count(std::string_view key, uint32_t lowest, uint32_t highest, uint32_t& to) {
    const toml::node* node = Take(key);
    if (node == nullptr) return;
    const auto value = node->value_exact<int64_t>();
    if (value && *value >= lowest && *value <= highest) to = static_cast<uint32_t>(*value);
    else Fail(*node, fmt::format("{} must be a whole number from {} to {}", key, lowest, highest));
  }

  // Text that `parse` understands; `what` says what that is.
  void Quantity(std::string_view key, Result<uint64_t> (*parse)(std::string_view), std::string_view what,
                uint64_t& to) {
    const toml::node* node = Take(key);
    if (node == nullptr) return;
    const auto text = node->value_exact<std::string>();
    const Result<uint64_t> value = text ? parse(*text) : InvalidArgument("no text");
    if (value.ok()) to = *value;
    else Fail(*node, fmt::format("{} must be {}", key, what));
  }

  void Percents(std::string_view key, std::vector<uint32_t>& to) {
    const toml::node* node = Take(key);
    if (node == nullptr) return;
    const toml::array* array = node->as_array();
    if (array == nullptr) return Fail(*node, fmt::format("{} must be a list of percentages, as in [80, 95]", key));
    std::vector<uint32_t> percents;
    for (const toml::node& element : *array) {
      const auto value = element.value_exact<int64_t>();
      if (!value || *value < 1 || *value > 100)
        return Fail(element, fmt::format("{} must list whole numbers from 1 to 100", key));
      percents.push_back(static_cast<uint32_t>(*value));
    }
    to = std::move(percents);
  }

  void Endpoints(std::string_view key, std::vector<io::Endpoint>& to) {
    const toml::node* node = Take(key);
    if (node == nullptr) return;
    const toml::array* array = node->as_array();
    if (array == nullptr) {
      return Fail(*node, fmt::format("{} must be a list of endpoints, as in [\"tcp:127.0.0.1:10809\"]", key));
    }
    std::vector<io::Endpoint> endpoints;
    for (const toml::node& element : *array) {
      const auto text = element.value_exact<std::string>();
      auto endpoint = io::Endpoint::Parse(text ? *text : "");
      if (!endpoint.ok()) return Fail(element, endpoint.status().message());
      endpoints.push_back(std::move(endpoint).value());
    }
    to = std::move(endpoints);
  }

  void Level(std::string_view key, LogLevel& to) {
    const toml::node* node = Take(key);
    if (node == nullptr) return;
    const auto text = node->value_exact<std::string>();
    auto level = ParseLogLevel(text ? *text : "");
    if (level.ok()) to = *level;
    else Fail(*node, level.status().message());
  }

  // An empty text: absent.
  void OptionalRole(std::string_view key, std::optional<access::Role>& to) {
    const toml::node* node = Take(key);
    if (node == nullptr) return;
    const auto text = node->value_exact<std::string>();
    if (text && text->empty()) return to.reset();
    const auto role = access::ParseRole(text ? *text : "");
    if (role.ok()) to = *role;
    else Fail(*node, fmt::format("{} must be \"administrator\", \"operator\", \"monitor\" or \"\" for nobody", key));
  }

  void ReadCimSecurity(CimSecurity& security) {
    Endpoints("https", security.https);
    Path("certificate", security.certificate);
    Path("key", security.key);
    Path("client_ca", security.client_ca);
    Path("listener_ca", security.listener_ca);
    Path("announce", security.announce);
    Path("users", security.users);
    String("pam_service", security.pam_service);
    OptionalRole("anonymous", security.anonymous);
    if (!status_.ok() || table_ == nullptr || security.certificate.empty() == security.key.empty()) return;
    Fail(*table_, "certificate and key are set both or neither");
  }

  // The face's settings, and its rule about loopback.
  void ReadFace(Config::Face& face) {
    Endpoints("listen", face.listen);
    Bool("allow_remote", face.allow_remote);
    Count("connections_max", 1, 100'000, face.connections_max);
    if (!status_.ok() || table_ == nullptr) return;
    const Status check = CheckFace(name_, face);
    if (!check.ok()) Fail(*table_, check.message());
  }

  // The first thing that was wrong, a setting that nobody asked for included.
  Status Finish() {
    if (table_ == nullptr || !status_.ok()) return status_;
    for (const auto& [key, node] : *table_) {
      bool asked = false;
      for (const std::string& known : asked_) asked |= known == key.str();
      if (!asked) {
        Fail(node, fmt::format("[{}] has no setting \"{}\"; it has {}", name_, key.str(), fmt::join(asked_, ", ")));
        break;
      }
    }
    return status_;
  }

 private:
  // The node of `key`, or null when it is not set or something was wrong before.
  const toml::node* Take(std::string_view key) {
    asked_.emplace_back(key);
    return table_ != nullptr && status_.ok() ? table_->get(key) : nullptr;
  }

  void Fail(const toml::node& where, std::string_view what) {
    status_ = InvalidArgument(fmt::format("{}:{}: {}", file_, where.source().begin.line, what));
  }

  std::string_view file_;
  std::string_view name_;
  const toml::table* table_;
  std::vector<std::string> asked_;
  Status status_;
};

Result<uint64_t> ParseMemory(std::string_view text) {
  LS_ASSIGN_OR_RETURN(const uint64_t bytes, ParseSize(text));
  if (bytes < logstore::kLeastMemory) return InvalidArgument("too little");
  return bytes;
}

io::Endpoint LoopbackPort(uint16_t port) { return {io::Endpoint::Kind::kTcp, "127.0.0.1", port}; }

Status CheckSections(const toml::table& root, std::string_view file, std::initializer_list<std::string_view> known) {
  for (const auto& [key, node] : root) {
    bool found = false;
    for (const std::string_view name : known) found |= name == key.str();
    const auto line = node.source().begin.line;
    if (!found) {
      return InvalidArgument(fmt::format("{}:{}: there is no section [{}]; there are [{}]", file, line, key.str(),
                                         fmt::join(known, "], [")));
    }
    if (!node.is_table()) return InvalidArgument(fmt::format("{}:{}: {} must be a section", file, line, key.str()));
  }
  return Status::Ok();
}

}  // namespace

Config::Config() {
  nbd.listen = {LoopbackPort(10809)};
  nbd.connections_max = 1024;
  cim.listen = {LoopbackPort(5988)};
  cim_security.https = {LoopbackPort(5989)};
  cim.connections_max = 1024;
}

Result<LogLevel> ParseLogLevel(std::string_view text) {
  if (text == "debug") return LogLevel::kDebug;
  if (text == "info") return LogLevel::kInfo;
  if (text == "warn") return LogLevel::kWarn;
  if (text == "error") return LogLevel::kError;
  return InvalidArgument(fmt::format("log level \"{}\" must be \"debug\", \"info\", \"warn\" or \"error\"", text));
}

Status CheckFace(std::string_view name, const Config::Face& face) {
  if (face.allow_remote) return Status::Ok();
  for (const io::Endpoint& endpoint : face.listen) {
    if (endpoint.IsLoopback()) continue;
    return InvalidArgument(fmt::format(
        "[{}] would listen on {}, where other machines reach it without encryption or a password; if that is meant, "
        "set allow_remote = true",
        name, endpoint.ToString()));
  }
  return Status::Ok();
}

Result<Config> ParseConfig(std::string_view text, std::string_view file) {
  const toml::parse_result parsed = toml::parse(text, file);
  if (!parsed) {
    const toml::parse_error& error = parsed.error();
    return InvalidArgument(fmt::format("{}:{}: {}", file, error.source().begin.line, error.description()));
  }
  const toml::table& root = parsed.table();
  LS_RETURN_IF_ERROR(CheckSections(root, file, {"node", "admin", "pools", "nbd", "cim"}));

  Config config;
  const auto table = [&root](std::string_view name) { return root[name].as_table(); };
  Section node(file, "node", table("node"));
  node.String("name", config.name);
  node.Path("data_directory", config.data_directory);
  node.Path("schema_directory", config.schema_directory);
  node.Level("log_level", config.log_level);
  LS_RETURN_IF_ERROR(node.Finish());
  if (config.data_directory.empty()) return InvalidArgument(fmt::format("{}: data_directory is empty", file));

  Section admin(file, "admin", table("admin"));
  admin.Path("socket", config.admin_socket);
  LS_RETURN_IF_ERROR(admin.Finish());

  Section pools(file, "pools", table("pools"));
  pools.Percents("warn_used", config.warn_used);
  pools.Quantity("memory", ParseMemory, "bytes like \"192M\", at least 16M", config.pool_memory);
  pools.Paths("devices", config.devices);
  pools.Quantity("scrub_every", ParseSeconds, "an interval like \"30d\", or \"0\" for never",
                 config.scrub_every_seconds);
  pools.Quantity("scrub_rate", ParseSize, "bytes a second like \"50M\", or \"0\" for no limit", config.scrub_rate);
  LS_RETURN_IF_ERROR(pools.Finish());

  Section nbd(file, "nbd", table("nbd"));
  nbd.ReadFace(config.nbd);
  LS_RETURN_IF_ERROR(nbd.Finish());

  Section cim(file, "cim", table("cim"));
  cim.ReadFace(config.cim);
  cim.ReadCimSecurity(config.cim_security);
  LS_RETURN_IF_ERROR(cim.Finish());
  return config;
}

}  // namespace lockstep::node
