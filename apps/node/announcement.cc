#include "apps/node/announcement.h"

#include <fmt/format.h>

#include "io/whole_file.h"
#include "wbem/xml_check.h"

namespace lockstep::node {
namespace {

constexpr char kName[] = "lockstep.service";

}  // namespace

std::string ServiceFile(std::string_view node_name, const std::vector<io::Endpoint>& https) {
  std::string services;
  for (const io::Endpoint& endpoint : https) {
    if (endpoint.kind != io::Endpoint::Kind::kTcp || endpoint.IsLoopback()) continue;
    services += fmt::format("  <service>\n    <type>_wbem-https._tcp</type>\n    <port>{}</port>\n"
                            "    <txt-record>path=/cimom</txt-record>\n"
                            "    <txt-record>interop=interop</txt-record>\n  </service>\n", endpoint.port);
  }
  if (services.empty()) return {};
  std::string text = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n"
                     "<!DOCTYPE service-group SYSTEM \"avahi-service.dtd\">\n<service-group>\n  <name>Lockstep on ";
  wbem::AppendXmlText(text, node_name);
  return text + "</name>\n" + services + "</service-group>\n";
}

Status Announcement::Make(std::string_view node_name, const std::vector<io::Endpoint>& https) {
  if (directory_.empty()) return {};
  const std::string text = ServiceFile(node_name, https);
  if (text.empty()) return Withdraw();
  return io::ReplaceWholeFile(files_, directory_, kName, text, io::Readers::kAll).WithContext("[cim] announce");
}

Status Announcement::Withdraw() {
  if (directory_.empty()) return {};
  const Status removed = files_.Remove(directory_ + "/" + kName);
  return removed.code() == Code::kNotFound ? Status() : removed.WithContext("[cim] announce");
}

}  // namespace lockstep::node
