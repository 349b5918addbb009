// Indications as CIM-XML sends them to a listener (DSP0200 5.5 and 6, DSP0201 5.5): the message ExportIndication, and
// what a listener answers to it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "wbem/http_responses.h"
#include "wbem/listener_url.h"
#include "wbem/schema.h"

namespace lockstep::wbem {

// An INSTANCE without its end, and without the properties that differ from listener to listener: shared by all
// messages about one event.
using IndicationText = std::shared_ptr<const std::string>;

// `indication` is an instance of `cls` whose values have the declared types. With `selected` other properties are left
// out. NULLs are not written.
IndicationText WriteIndication(const ClassDecl& cls, const Instance& indication,
                               const std::optional<std::vector<std::string>>& selected);

// The properties that differ.
struct IndicationPlace {
  std::string_view filter_name;  // IndicationFilterName
  std::string_view context;      // SequenceContext
  int64_t number = 0;            // SequenceNumber
};

// Appends the whole HTTP request.
void AppendExportRequest(std::string& out, const ListenerUrl& url, const std::string& text,
                         const IndicationPlace& place);

enum class ListenerAnswer : uint8_t {
  kTaken,
  kRefused,   // this indication will never be taken
  kTryAgain,  // the listener cannot take it now
};

// What a response says, and in words why it is not kTaken.
ListenerAnswer JudgeAnswer(const HttpResponse& response, std::string& why);

}  // namespace lockstep::wbem
