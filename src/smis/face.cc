#include "smis/face.h"

namespace lockstep::smis {

using wbem::Value;

wbem::Instance InstanceAt(wbem::ObjectPath path) {
  wbem::Instance instance(path.class_name);
  for (const wbem::Property& key : path.keys) instance.Add(key.name, key.value);
  instance.path = std::move(path);
  return instance;
}

Value When(io::WallTime time) {
  if (time.us == 0) return Value::Null(wbem::CimType::kDatetime);
  return Value(wbem::Datetime::Timestamp(time.us));
}

void AddHealth(wbem::Instance& instance, const Status& state) {
  instance.Add("OperationalStatus", Value::Array(std::vector<uint16_t>{state.ok() ? kStatusOk : kStatusError}));
  instance.Add("StatusDescriptions", Value::Array(std::vector<std::string>{state.ok() ? "OK" : state.message()}));
  instance.Add("HealthState", state.ok() ? kHealthOk : kHealthMajorFailure);
}

void AddEnabled(wbem::Instance& instance) {
  constexpr uint16_t kEnabled = 2, kNotApplicable = 12;
  instance.Add("EnabledState", kEnabled);
  instance.Add("RequestedState", kNotApplicable);
}

}  // namespace lockstep::smis
