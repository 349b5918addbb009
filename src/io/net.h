// Byte streams between processes. A protocol engine never sees these: a thin server feeds it bytes and sends what it
// says.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/status.h"
#include "io/disk.h"

namespace lockstep::io {

// "tcp:127.0.0.1:10809", "tcp:[::1]:10809" or "unix:/run/x.sock".
struct Endpoint {
  enum class Kind : uint8_t { kTcp, kUnix };
  Kind kind = Kind::kTcp;
  std::string address;  // numeric IP address, or the socket's path
  uint16_t port = 0;    // kTcp; 0 lets the system choose
  static Result<Endpoint> Parse(std::string_view text);
  std::string ToString() const;
  bool IsLoopback() const;  // a Unix socket, 127.0.0.0/8 or ::1
};

// One connection; one owner loop. Callbacks run on it, never inside the call that asked. At most one Read and one Write
// are outstanding. Memory passed in stays valid until the callback.
class Stream {
 public:
  using ReadDone = std::move_only_function<void(Result<size_t>)>;  // bytes; 0 when the peer has sent its last
  using WriteDone = std::move_only_function<void(Status)>;

  // Closes at once; callbacks still outstanding are dropped without being called.
  virtual ~Stream() = default;
  virtual void Read(std::span<std::byte> to, ReadDone done) = 0;  // completes with what is there, at least one byte
  virtual void Write(std::span<const Buffer> from, WriteDone done) = 0;  // completes when all has been handed over
  virtual void ShutdownWrite() = 0;
  virtual std::string peer() const = 0;  // for logs
};

class Listener {
 public:
  virtual ~Listener() = default;          // stops listening; a Unix socket's file is removed
  virtual Endpoint endpoint() const = 0;  // with the port that was really taken
};

class Network {
 public:
  using Accept = std::move_only_function<void(std::unique_ptr<Stream>)>;
  using Connected = std::move_only_function<void(Result<std::unique_ptr<Stream>>)>;
  virtual ~Network() = default;
  // `accept` is called on the network's loop for every connection until the Listener is destroyed. A stale Unix socket
  // file that nobody listens on is replaced. in-use when the address is taken.
  virtual Result<std::unique_ptr<Listener>> Listen(const Endpoint& at, Accept accept) = 0;
  virtual void Connect(const Endpoint& to, Connected done) = 0;
};

}  // namespace lockstep::io
