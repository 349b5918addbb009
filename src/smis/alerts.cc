#include "smis/alerts.h"

#include <fmt/args.h>
#include <fmt/format.h>

namespace lockstep::smis {
namespace {

// CIM_AlertIndication.AlertType, PerceivedSeverity and ProbableCause.
constexpr uint16_t kQualityOfService = 3, kProcessingError = 4, kDeviceAlert = 5, kModelChange = 7;
constexpr uint16_t kInformation = 2, kWarning = 3, kMinor = 4, kMajor = 5, kCritical = 6;
constexpr uint16_t kOtherCause = 1, kCorruptData = 10, kCapacityProblem = 50, kResourceUnavailable = 57, kCleared = 59,
                   kSyncLoss = 81;

constexpr AlertSpec kAlerts[] = {
    {AlertKind::kPoolFailed, "LOCKSTEP1", kDeviceAlert, kCritical, kResourceUnavailable,
     "pool {} is not available: {}", "see to its devices, then start the service again"},
    {AlertKind::kPoolBack, "LOCKSTEP2", kDeviceAlert, kInformation, kCleared, "pool {} is available again", ""},
    {AlertKind::kPoolFilling, "LOCKSTEP3", kQualityOfService, kWarning, kCapacityProblem,
     "pool {} has used {} % of its space", "add a device, or delete volumes or replicas"},
    {AlertKind::kBadBlock, "LOCKSTEP4", kDeviceAlert, kMajor, kCorruptData,
     "pool {} has a block that does not match its checksum: {}", "scrub the pool, and restore what it names"},
    {AlertKind::kRelationshipBroken, "LOCKSTEP5", kProcessingError, kMajor, kSyncLoss,
     "the copy of {} to {} is broken", "remove the cause, then resynchronize"},
    {AlertKind::kRelationshipChanged, "LOCKSTEP6", kModelChange, kInformation, kOtherCause,
     "the copy of {} to {} has become {}", ""},
    {AlertKind::kJobFailed, "LOCKSTEP7", kProcessingError, kMinor, kOtherCause, "job {} has failed: {}", ""},
};

constexpr bool AlertsAreInOrder() {
  for (size_t i = 0; i < std::size(kAlerts); ++i)
    if (static_cast<size_t>(kAlerts[i].kind) != i) return false;
  return true;
}
static_assert(AlertsAreInOrder());

}  // namespace

std::span<const AlertSpec> AllAlerts() { return kAlerts; }

std::string DescribeAlerts() {
  std::string out = "| MessageID | severity | message |\n| --- | --- | --- |\n";
  constexpr std::string_view kSeverities[] = {"Unknown", "Other", "Information", "Degraded/Warning",
                                              "Minor",   "Major", "Critical"};
  for (const AlertSpec& alert : kAlerts)
    fmt::format_to(std::back_inserter(out), "| {} | {} | {} |\n", alert.id, kSeverities[alert.severity], alert.message);
  return out;
}

wbem::Instance AlertIndication(const Face& face, AlertKind kind, const wbem::ObjectPath& element,
                               const std::vector<std::string>& arguments) {
  const AlertSpec& spec = kAlerts[static_cast<size_t>(kind)];
  fmt::dynamic_format_arg_store<fmt::format_context> store;
  for (const std::string& argument : arguments) store.push_back(argument);
  const std::string message = fmt::vformat(spec.message, store);
  constexpr uint16_t kObjectPath = 2;
  wbem::Instance alert("CIM_AlertIndication");
  alert.Add("Description", message);
  alert.Add("AlertingManagedElement", element.ToString());
  alert.Add("AlertingElementFormat", kObjectPath);
  alert.Add("AlertType", spec.type);
  alert.Add("PerceivedSeverity", spec.severity);
  alert.Add("ProbableCause", spec.cause);
  if (!spec.advice.empty())
    alert.Add("RecommendedActions", wbem::Value::Array(std::vector<std::string>{std::string(spec.advice)}));
  alert.Add("EventID", std::string(spec.id));
  alert.Add("EventTime", When(face.clock.Wall()));
  alert.Add("SystemCreationClassName", kSystemClass);
  alert.Add("SystemName", face.paths.system_name());
  alert.Add("ProviderName", "Lockstep");
  alert.Add("Message", message);
  alert.Add("MessageArguments", wbem::Value::Array(arguments));
  alert.Add("MessageID", std::string(spec.id));
  alert.Add("OwningEntity", "Lockstep");
  return alert;
}

}  // namespace lockstep::smis
