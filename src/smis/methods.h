// Calling methods: reading the parameters, and turning what control answers into return codes.
//
// The CIM server has checked names and types of the parameters already (CIM error 4). Here: missing parameters that are
// Required, references that resolve to nothing or to the wrong class, embedded instances that make no sense, numbers
// without a meaning; all of them are return code 5 Invalid Parameter.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "base/task.h"
#include "control/requests.h"
#include "smis/face.h"
#include "wbem/provider.h"

namespace lockstep::smis {

// The return codes that all methods of the schema share.
inline constexpr uint32_t kCompleted = 0, kNotSupported = 1, kTimeout = 3, kFailed = 4, kInvalidParameter = 5,
                          kInUse = 6, kJobStarted = 4096;

// How a method ended. `why` explains a code that is neither success nor a job; it goes to the log, since CIM-XML
// carries no text beside a return code.
struct Outcome {
  uint32_t code = kCompleted;
  std::vector<wbem::Property> out;
  Status why;
};

// The code that control's comment gives for the status.
uint32_t ReturnCode(const Status& status);
Outcome Done(std::vector<wbem::Property> out = {});
// Job Started with the Job parameter when there is one, otherwise Completed.
Outcome DoneOrStarted(const Face& face, std::optional<catalog::JobId> job, std::vector<wbem::Property> out);
Outcome Refused(Status why);
Outcome Refused(uint32_t code, Status why);

// The parameters of one call. The first thing that is wrong is kept in status(); what is read after that, or is
// missing, is absent. REQUIRES: face and call outlive it.
class Arguments {
 public:
  Arguments(const Face& face, const wbem::MethodCall& call) : face_(face), call_(call) {}

  const Status& status() const { return status_; }
  void Fail(Status why);
  bool Has(std::string_view name) const { return call_.Has(name); }
  // invalid-argument when it is missing or, for an array, empty.
  void Require(std::string_view name);

  std::optional<std::string> Text(std::string_view name);
  std::vector<std::string> Texts(std::string_view name);
  std::optional<bool> Flag(std::string_view name);
  std::optional<uint64_t> Number(std::string_view name);
  template <typename E>
  std::optional<E> Enum(std::string_view name) {
    std::optional<uint64_t> number = Number(name);
    if (!number) return std::nullopt;
    return static_cast<E>(*number);
  }

  // References. Absent when the parameter is NULL; an error when it names nothing.
  std::optional<catalog::VolumeId> Volume(std::string_view name);
  std::vector<catalog::VolumeId> Volumes(std::string_view name);
  std::optional<catalog::GroupId> Group(std::string_view name);
  std::vector<catalog::GroupId> Groups(std::string_view name);
  std::optional<catalog::PoolId> Pool(std::string_view name);
  std::vector<catalog::PoolId> Pools(std::string_view name);
  // Of arrays of strings that are paths: extents, as the paths of their devices.
  std::vector<std::string> Extents(std::string_view name);
  // Likewise pools that space is to come from: there is the primordial one only.
  void OnlyPrimordial(std::string_view name);
  std::optional<control::RelationshipRef> Synchronization(std::string_view name);
  std::vector<control::RelationshipRef> Synchronizations(std::string_view name);
  std::optional<control::AspectRef> SettingsState(std::string_view name);
  std::vector<control::AspectRef> SettingsStates(std::string_view name);
  // Settings of a volume to make. Whether there are any: all volumes are alike, so that is all that counts.
  bool StorageGoal(std::string_view name);

  // The parameter ReplicationSettingData.
  replication::ReplicationSettings Settings();
  // Everything is local: an access point or a collection of links that is given names nothing that is here.
  void RefuseRemote(std::initializer_list<std::string_view> names);

 private:
  template <typename T, typename Resolve>
  std::optional<T> Reference(std::string_view name, const char* wanted, Resolve resolve);
  template <typename T, typename Resolve>
  std::vector<T> References(std::string_view name, const char* wanted, Resolve resolve);
  void FailReference(std::string_view name, const wbem::Value& value, const char* wanted);

  const Face& face_;
  const wbem::MethodCall& call_;
  Status status_;
};

using FacePtr = std::shared_ptr<const Face>;

// One method that is built. Methods that the schema declares and no table names return Not Supported.
struct Method {
  std::string_view name;
  Task<Outcome> (*run)(FacePtr face, wbem::MethodCall call);
};

// The methods that are built, of a class of classes.h; empty when there are none. The support table of the
// documentation is made from this.
std::span<const Method> MethodsOf(std::string_view class_name);

// A provider whose methods are those of MethodsOf its class.
class FaceProvider : public wbem::Provider {
 public:
  explicit FaceProvider(FacePtr face) : face_(std::move(face)) {}
  Task<Result<wbem::MethodResult>> Invoke(wbem::MethodCall call) override;
  // Invalid Parameter.
  std::optional<wbem::MethodResult> RefuseParameter(const wbem::RequestContext& context, const wbem::MethodDecl& method,
                                                    const Status& why) override;

 protected:
  const Face& face() const { return *face_; }
  const Paths& paths() const { return face_->paths; }
  control::Control& control() const { return face_->control; }

 private:
  FacePtr face_;
};

}  // namespace lockstep::smis
