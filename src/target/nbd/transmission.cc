#include "target/nbd/transmission.h"

#include <algorithm>
#include <cstring>

#include "base/assert.h"
#include "base/codec.h"

namespace lockstep::nbd {
namespace {

// Encoder's counterpart for a fixed array: replies are made once per request, so they allocate nothing.
class Writer {
 public:
  explicit Writer(ReplyHeader& to) : to_(to) {}
  template <std::unsigned_integral T>
  Writer& Big(T v) {
    v = ToBig(v);
    LS_ASSERT(to_.size + sizeof v <= ReplyHeader::kCapacity);
    std::memcpy(to_.bytes.data() + to_.size, &v, sizeof v);
    to_.size += sizeof v;
    return *this;
  }

 private:
  ReplyHeader& to_;
};

Writer BeginChunk(ReplyHeader& reply, Chunk type, const RequestHeader& request, uint32_t length) {
  Writer writer(reply);
  writer.Big(kStructuredReplyMagic)
      .Big(kChunkDone)
      .Big(static_cast<uint16_t>(type))
      .Big(request.cookie)
      .Big(length);
  return writer;
}

uint16_t FlagsAllowed(Command command, bool structured) {
  switch (command) {
    case Command::kRead: return structured ? kCommandFua | kCommandDf : kCommandFua;
    case Command::kWriteZeroes: return kCommandFua | kCommandNoHole | kCommandFastZero;
    case Command::kBlockStatus: return kCommandFua | kCommandReqOne;
    default: return kCommandFua;
  }
}

bool Changes(Command command) {
  return command == Command::kWrite || command == Command::kTrim || command == Command::kWriteZeroes;
}

}  // namespace

Transmission::Event Transmission::Feed(std::span<const std::byte> in, size_t& taken) {
  taken = static_cast<size_t>(std::min<uint64_t>(skip_, in.size()));
  skip_ -= taken;
  in = in.subspan(taken);
  if (skip_ > 0 || in.size() < kRequestSize) return Event::kNeedMore;
  Decoder decoder(in.first(kRequestSize));
  const uint32_t magic = decoder.Big<uint32_t>();
  request_.flags = decoder.Big<uint16_t>();
  const uint16_t raw_command = decoder.Big<uint16_t>();
  request_.command = static_cast<Command>(raw_command);
  request_.cookie = decoder.Big<uint64_t>();
  request_.offset = decoder.Big<uint64_t>();
  request_.length = decoder.Big<uint32_t>();
  taken += kRequestSize;
  if (magic != kRequestMagic) return Event::kBroken;
  if (request_.command == Command::kDisconnect) return Event::kDisconnect;
  refusal_ = Check(request_, raw_command);
  if (refusal_ == Error::kNone) return Event::kRequest;
  if (request_.command == Command::kWrite) skip_ = request_.length;
  return Event::kRefused;
}

Error Transmission::Check(const RequestHeader& request, uint16_t raw_command) const {
  constexpr uint16_t kKnown[] = {0, 1, 3, 4, 6, 7};
  if (std::find(std::begin(kKnown), std::end(kKnown), raw_command) == std::end(kKnown)) return Error::kInvalid;
  const Command command = request.command;
  if ((request.flags & ~FlagsAllowed(command, session_.structured_replies)) != 0) return Error::kInvalid;
  if (command == Command::kFlush) return Error::kNone;
  if (command == Command::kBlockStatus && !session_.allocation_context) return Error::kInvalid;
  if (Changes(command) && session_.info.read_only) return Error::kPermission;
  if (request.length == 0) return Error::kInvalid;
  const bool has_payload = command == Command::kRead || command == Command::kWrite;
  if (has_payload && request.length > kMaximumPayload) return Error::kInvalid;
  const uint64_t size = session_.info.size;
  if (request.offset > size || request.length > size - request.offset) {
    const bool write = command == Command::kWrite || command == Command::kWriteZeroes;
    return write ? Error::kNoSpace : Error::kInvalid;
  }
  return Error::kNone;
}

ReplyHeader Transmission::ReadData(const RequestHeader& request) const {
  if (!session_.structured_replies) return Done(request, Error::kNone);
  ReplyHeader reply;
  constexpr uint32_t kOffsetSize = sizeof(uint64_t);
  BeginChunk(reply, Chunk::kOffsetData, request, kOffsetSize + request.length).Big(request.offset);
  return reply;
}

ReplyHeader Transmission::ReadHole(const RequestHeader& request) const {
  LS_ASSERT(session_.structured_replies);
  ReplyHeader reply;
  constexpr uint32_t kHoleSize = sizeof(uint64_t) + sizeof(uint32_t);
  BeginChunk(reply, Chunk::kOffsetHole, request, kHoleSize).Big(request.offset).Big(request.length);
  return reply;
}

ReplyHeader Transmission::BlockStatus(const RequestHeader& request, size_t extents) const {
  ReplyHeader reply;
  const auto length = static_cast<uint32_t>(sizeof(uint32_t) + extents * 2 * sizeof(uint32_t));
  BeginChunk(reply, Chunk::kBlockStatus, request, length).Big(kAllocationContextId);
  return reply;
}

ReplyHeader Transmission::Done(const RequestHeader& request, Error error) const {
  ReplyHeader reply;
  // Once structured replies are agreed on, a read may be answered by nothing else, a failed one included. Block status
  // exists only with them.
  const bool structured = session_.structured_replies &&
                          (request.command == Command::kRead || request.command == Command::kBlockStatus);
  if (structured && error != Error::kNone) {
    constexpr uint32_t kErrorSize = sizeof(uint32_t) + sizeof(uint16_t);
    BeginChunk(reply, Chunk::kError, request, kErrorSize).Big(static_cast<uint32_t>(error)).Big<uint16_t>(0);
    return reply;
  }
  Writer(reply).Big(kSimpleReplyMagic).Big(static_cast<uint32_t>(error)).Big(request.cookie);
  return reply;
}

Error ToError(const Status& status) {
  switch (status.code()) {
    case Code::kOk: return Error::kNone;
    case Code::kNoSpace: return Error::kNoSpace;
    case Code::kInvalidArgument: return Error::kInvalid;
    case Code::kPermissionDenied: return Error::kPermission;
    case Code::kNotSupported: return Error::kNotSupported;
    default: return Error::kIo;
  }
}

}  // namespace lockstep::nbd
