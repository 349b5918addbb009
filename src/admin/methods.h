// The methods of the local management protocol: one function per use case, found by name. Each reads its parameters,
// calls control, and renders what control answers; it decides nothing itself.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "access/audit.h"
#include "access/users.h"
#include "admin/message.h"
#include "base/task.h"
#include "control/control.h"

namespace lockstep::admin {

// What the node says about itself, beyond what control knows.
struct NodeFacts {
  std::string version;
  std::string data_directory;
  std::vector<std::string> nbd_endpoints;  // as really taken, with ports
  std::vector<std::string> cim_endpoints, cim_https_endpoints;
  io::WallTime started;
};

// What a method may use besides its parameters. Outlives the method's task.
class Context {
 public:
  Context(control::Control& c, io::Loop& l, const NodeFacts& f) : control(c), loop(l), facts(f) {}
  virtual ~Context() = default;

  // Tells the client something before the answer, if it keeps up with reading; otherwise it is left out.
  virtual void Emit(std::string_view method, Json params) = 0;
  // Has `wake` called once, when the client has sent its last or the server stops; at once if that has happened.
  // Replaces what was given before; null takes it back.
  virtual void OnEnd(std::function<void()> wake) = 0;
  virtual bool ended() const = 0;

  control::Control& control;
  io::Loop& loop;  // the control loop
  const NodeFacts& facts;
  access::Users* users = nullptr;  // null where nobody is known by name
};

// By value into the coroutine, which keeps it alive.
using Params = std::shared_ptr<const Json>;
using Answer = Task<Result<Json>>;

struct Method {
  std::string_view name;
  Answer (*run)(Context& context, Params params);
};

// One list per kind of object; each in its own file.
std::span<const Method> NodeMethods();
std::span<const Method> PoolMethods();
std::span<const Method> VolumeMethods();
std::span<const Method> HistoryMethods();
std::span<const Method> GroupMethods();
std::span<const Method> ReplicaCreateMethods();
std::span<const Method> ReplicaMethods();
std::span<const Method> PointMethods();
std::span<const Method> AspectMethods();
std::span<const Method> JobMethods();
std::span<const Method> UserMethods();

// Null when there is none of that name.
const Method* FindMethod(std::string_view name);
// Whether a method of that name only reads.
bool OnlyReads(std::string_view name);
// All names, sorted.
std::vector<std::string_view> MethodNames();

}  // namespace lockstep::admin
