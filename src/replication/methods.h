// The methods of CIM_ReplicationService, one row each: what SupportedSynchronousActions and
// SupportedAsynchronousActions advertise, what GetSupportedWaitForCopyStates answers, and why one is not supported.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace lockstep::replication {

enum class Answers : uint8_t {
  kAtOnce,         // never a job
  kAtOnceOrJob,    // a job when every byte is to be copied, or is to be waited for
  kNotSupported,   // return code 1: it is about a second site
};

// What its parameter WaitForCopyState may be.
enum class Waits : uint8_t {
  kNoParameter,
  kCreation,    // the rows of CreationRows
  kStarted,     // those of them that do not wait for Activate
  kOperation,   // what the operation leads to
};

struct ServiceMethod {
  uint16_t action = 0;  // in SupportedSynchronousActions and SupportedAsynchronousActions
  std::string_view name;
  Answers answers = Answers::kNotSupported;
  Waits waits = Waits::kNoParameter;
  uint16_t wait_number = 0;  // GetSupportedWaitForCopyStates, parameter MethodName; 0: not among its values
};

// All 29, by action.
std::span<const ServiceMethod> ServiceMethods();

}  // namespace lockstep::replication
