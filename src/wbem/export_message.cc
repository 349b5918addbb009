#include "wbem/export_message.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "wbem/cimxml_values.h"
#include "wbem/xml_check.h"

namespace lockstep::wbem {
namespace {

// In the order of CIM_Indication.
constexpr std::string_view kPlaced[] = {"IndicationFilterName", "SequenceContext", "SequenceNumber"};

bool IsPlaced(std::string_view name) {
  return std::any_of(std::begin(kPlaced), std::end(kPlaced), [&](auto p) { return NameEquals(p, name); });
}

constexpr std::string_view kOpen =
    "<?xml version=\"1.0\" encoding=\"utf-8\" ?>\n<CIM CIMVERSION=\"2.0\" DTDVERSION=\"2.0\">"
    "<MESSAGE ID=\"";
constexpr std::string_view kCall =
    "\" PROTOCOLVERSION=\"1.0\"><SIMPLEEXPREQ><EXPMETHODCALL NAME=\"ExportIndication\">"
    "<EXPPARAMVALUE NAME=\"NewIndication\">";
constexpr std::string_view kClose =
    "</INSTANCE></EXPPARAMVALUE></EXPMETHODCALL></SIMPLEEXPREQ></MESSAGE></CIM>";

void AppendPlaced(std::string& out, std::string_view name, std::string_view type, std::string_view value) {
  fmt::format_to(std::back_inserter(out), "<PROPERTY NAME=\"{}\" TYPE=\"{}\"><VALUE>", name, type);
  AppendXmlText(out, value);
  out += "</VALUE></PROPERTY>";
}

// The CODE of an ERROR element; 0 when there is none.
int ErrorCode(std::string_view body) {
  const size_t error = body.find("<ERROR");
  if (error == body.npos) return 0;
  constexpr std::string_view kCode = "CODE=";
  const size_t code = body.find(kCode, error);
  int number = 0;
  if (code != body.npos && code + kCode.size() + 1 < body.size()) {
    const char* const digits = body.data() + code + kCode.size() + 1;
    std::from_chars(digits, body.data() + body.size(), number);
  }
  return number == 0 ? 1 : number;
}

}  // namespace

IndicationText WriteIndication(const ClassDecl& cls, const Instance& indication,
                               const std::optional<std::vector<std::string>>& selected) {
  std::string out = "<INSTANCE";
  AppendAttribute(out, "CLASSNAME", cls.name);
  out += '>';
  for (const auto& declared : cls.properties) {
    if (IsPlaced(declared->name)) continue;
    const auto same = [&](const std::string& name) { return NameEquals(name, declared->name); };
    if (selected && std::none_of(selected->begin(), selected->end(), same)) continue;
    const Value& value = indication[declared->name];
    if (!value.is_null()) AppendProperty(out, *declared, value, "", "");
  }
  out.shrink_to_fit();
  return std::make_shared<const std::string>(std::move(out));
}

void AppendExportRequest(std::string& out, const ListenerUrl& url, const std::string& text,
                         const IndicationPlace& place) {
  std::string tail;
  AppendPlaced(tail, kPlaced[0], "string", place.filter_name);
  AppendPlaced(tail, kPlaced[1], "string", place.context);
  const std::string number = std::to_string(place.number);
  AppendPlaced(tail, kPlaced[2], "sint64", number);
  tail += kClose;
  const size_t length = kOpen.size() + number.size() + kCall.size() + text.size() + tail.size();
  out.reserve(out.size() + 300 + url.path.size() + url.host.size() + length);
  fmt::format_to(std::back_inserter(out),
                 "POST {} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/xml; charset=utf-8\r\n"
                 "Content-Length: {}\r\nCIMExport: MethodRequest\r\nCIMExportMethod: ExportIndication\r\n\r\n",
                 url.path, url.Authority(), length);
  out += kOpen;
  out += number;
  out += kCall;
  out += text;
  out += tail;
}

ListenerAnswer JudgeAnswer(const HttpResponse& response, std::string& why) {
  constexpr int kFailed = 1;
  if (response.status != 200) {
    why = fmt::format("HTTP status {}", response.status);
    const bool later = response.status >= 502 || response.status == 500 || response.status == 429 ||
                       response.status == 408;
    return later ? ListenerAnswer::kTryAgain : ListenerAnswer::kRefused;
  }
  const int code = ErrorCode(response.body);
  if (code == 0) return ListenerAnswer::kTaken;
  why = fmt::format("CIM error {}", code);
  return code == kFailed ? ListenerAnswer::kTryAgain : ListenerAnswer::kRefused;
}

}  // namespace lockstep::wbem
