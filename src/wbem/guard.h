// Which role each operation needs, and where changes are recorded. What an intrinsic operation needs follows from what
// it does (NeededRole); changes of instances and methods need what the model says, class by class.
#pragma once

#include <string>
#include <string_view>

#include "access/role.h"
#include "wbem/errors.h"
#include "wbem/operations.h"
#include "wbem/reader.h"

namespace lockstep::wbem {

// What somebody did, or was not allowed to do.
struct Deed {
  const Caller& caller;
  std::string_view what;    // Describe
  std::string_view result;  // "ok", "returned 5", "CIM_ERR_ACCESS_DENIED: ..."
};

class Guard {
 public:
  virtual ~Guard() = default;
  // What a change of an instance of the class needs (`act` is "CreateInstance", "ModifyInstance", "DeleteInstance"), or
  // a method of it (`act` is its name).
  virtual access::Role NeededRole(const ClassDecl& cls, std::string_view act) const = 0;
  // After each operation that needs more than reading, refused ones included.
  virtual void Record(const Deed& deed) = 0;
};

// What an operation needs by itself; kChange and kInvoke: what the guard says.
access::Role RoleForAct(Act act);
// "ModifyInstance" for SetProperty, the method's name for an extrinsic operation.
std::string_view ActName(const OperationRequest& request);
// What somebody wants, in one line of bounded length: 'CreateGroup of root/x:C.K="k" with GroupName=g, Members=[...]'.
// Values of what is called a password or a secret are left out.
std::string Describe(const OperationRequest& request);

}  // namespace lockstep::wbem
