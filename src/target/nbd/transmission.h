// The second half of a connection: requests in, replies out. No I/O and no memory of its own: the caller owns the bytes
// of payloads, this says which they are. Every request of a stream is answered exactly once, in any order.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/status.h"
#include "target/nbd/handshake.h"
#include "target/nbd/protocol.h"

namespace lockstep::nbd {

struct RequestHeader {
  uint16_t flags = 0;
  Command command = Command::kRead;
  uint64_t cookie = 0;  // the client's; comes back in the reply
  uint64_t offset = 0;  // bytes
  uint32_t length = 0;  // bytes; not 0 but for flush
};

// Bytes that go before a reply's payload, or that are the whole reply.
struct ReplyHeader {
  static constexpr size_t kCapacity = 32;
  std::array<std::byte, kCapacity> bytes{};
  size_t size = 0;
  std::span<const std::byte> view() const { return {bytes.data(), size}; }
};

class Transmission {
 public:
  explicit Transmission(Session session) : session_(std::move(session)) {}

  enum class Event : uint8_t {
    kNeedMore,    // nothing was taken, or only skipped bytes: come back with more
    kRequest,     // request() is valid and to be carried out; for a write, its `length` bytes of payload follow in the
                  // stream and are the caller's to take before the next Feed
    kRefused,     // answer request() with refusal(); the payload it may have is skipped by the following Feeds
    kDisconnect,  // the client said goodbye: finish what is in flight, answer nothing that comes later
    kBroken,      // the stream makes no sense any more (reason()): close
  };

  // Looks at the front of `in`; `taken` is how many bytes it used.
  Event Feed(std::span<const std::byte> in, size_t& taken);
  const RequestHeader& request() const { return request_; }
  Error refusal() const { return refusal_; }
  std::string_view reason() const { return "a request does not begin with its magic number"; }

  // Replies. A read that succeeded is followed by its data unless it was all zeroes and MaySendHole().
  bool MaySendHole() const { return session_.structured_replies; }
  ReplyHeader ReadData(const RequestHeader& request) const;
  ReplyHeader ReadHole(const RequestHeader& request) const;
  // Followed by `extents` pairs of 32-bit (length, state).
  ReplyHeader BlockStatus(const RequestHeader& request, size_t extents) const;
  // Success of a command without payload, or the failure of any.
  ReplyHeader Done(const RequestHeader& request, Error error) const;

  const Session& session() const { return session_; }

 private:
  Error Check(const RequestHeader& request, uint16_t raw_command) const;

  Session session_;
  RequestHeader request_;
  Error refusal_ = Error::kNone;
  uint64_t skip_ = 0;
};

// The protocol's error for a Status: no-space ENOSPC, invalid-argument EINVAL, permission-denied EPERM, not-supported
// ENOTSUP, anything else EIO.
Error ToError(const Status& status);

}  // namespace lockstep::nbd
