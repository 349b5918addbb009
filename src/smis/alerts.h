// CIM_AlertIndication: what a person should know, as one table of messages. Each is numbered, with the severity and the
// cause that it always has; docs/interfaces/smis.md is printed from it.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "smis/face.h"

namespace lockstep::smis {

enum class AlertKind : uint8_t {
  kPoolFailed, kPoolBack, kPoolFilling, kBadBlock, kRelationshipBroken, kRelationshipChanged, kJobFailed,
};

struct AlertSpec {
  AlertKind kind;
  std::string_view id;      // MessageID
  uint16_t type;            // AlertType
  uint16_t severity;        // PerceivedSeverity
  uint16_t cause;           // ProbableCause
  std::string_view message; // with {} for each argument
  std::string_view advice;  // RecommendedActions
};

// In the order of the enumeration.
std::span<const AlertSpec> AllAlerts();
// The table of the documentation, in Markdown.
std::string DescribeAlerts();

// An indication about `element`; as many arguments as the message has places for.
wbem::Instance AlertIndication(const Face& face, AlertKind kind, const wbem::ObjectPath& element,
                               const std::vector<std::string>& arguments);

}  // namespace lockstep::smis
