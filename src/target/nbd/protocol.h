// The numbers of the NBD protocol, as its document (NetworkBlockDevice/nbd, doc/proto.md) names them, and the limits
// that this server sets where the document leaves them open. All integers on the wire are big-endian.
#pragma once

#include <cstddef>
#include <cstdint>

namespace lockstep::nbd {

inline constexpr uint64_t kMagic = 0x4e42444d41474943;             // "NBDMAGIC"
inline constexpr uint64_t kOptionMagic = 0x49484156454F5054;       // "IHAVEOPT"
inline constexpr uint64_t kOptionReplyMagic = 0x0003e889045565a9;
inline constexpr uint32_t kRequestMagic = 0x25609513;
inline constexpr uint32_t kSimpleReplyMagic = 0x67446698;
inline constexpr uint32_t kStructuredReplyMagic = 0x668e33ef;

// Handshake flags; the client's flags have the same values in 32 bits.
inline constexpr uint16_t kFlagFixedNewstyle = 1 << 0;
inline constexpr uint16_t kFlagNoZeroes = 1 << 1;

enum class Option : uint32_t {
  kExportName = 1,
  kAbort = 2,
  kList = 3,
  kStartTls = 5,
  kInfo = 6,
  kGo = 7,
  kStructuredReply = 8,
  kListMetaContext = 9,
  kSetMetaContext = 10,
};

enum class OptionReply : uint32_t {
  kAck = 1,
  kServer = 2,
  kInfo = 3,
  kMetaContext = 4,
  kErrorUnsupported = 0x80000001,
  kErrorInvalid = 0x80000003,
  kErrorUnknown = 0x80000006,
  kErrorTooBig = 0x80000009,
};

enum class Info : uint16_t { kExport = 0, kName = 1, kDescription = 2, kBlockSize = 3 };

// Transmission flags.
inline constexpr uint16_t kHasFlags = 1 << 0;
inline constexpr uint16_t kReadOnly = 1 << 1;
inline constexpr uint16_t kSendFlush = 1 << 2;
inline constexpr uint16_t kSendFua = 1 << 3;
inline constexpr uint16_t kSendTrim = 1 << 5;
inline constexpr uint16_t kSendWriteZeroes = 1 << 6;
inline constexpr uint16_t kSendDf = 1 << 7;
inline constexpr uint16_t kCanMultiConn = 1 << 8;
inline constexpr uint16_t kSendFastZero = 1 << 11;

enum class Command : uint16_t {
  kRead = 0,
  kWrite = 1,
  kDisconnect = 2,
  kFlush = 3,
  kTrim = 4,
  kWriteZeroes = 6,
  kBlockStatus = 7,
};

// Command flags.
inline constexpr uint16_t kCommandFua = 1 << 0;
inline constexpr uint16_t kCommandNoHole = 1 << 1;
inline constexpr uint16_t kCommandDf = 1 << 2;
inline constexpr uint16_t kCommandReqOne = 1 << 3;
inline constexpr uint16_t kCommandFastZero = 1 << 4;

enum class Chunk : uint16_t { kNone = 0, kOffsetData = 1, kOffsetHole = 2, kBlockStatus = 5, kError = 0x8001 };
inline constexpr uint16_t kChunkDone = 1 << 0;

// Block status of "base:allocation".
inline constexpr uint32_t kStateHole = 1 << 0;
inline constexpr uint32_t kStateZero = 1 << 1;
inline constexpr uint32_t kAllocationContextId = 1;

enum class Error : uint32_t {
  kNone = 0,
  kPermission = 1,
  kIo = 5,
  kNoMemory = 12,
  kInvalid = 22,
  kNoSpace = 28,
  kNotSupported = 95,
  kShutdown = 108,
};

inline constexpr size_t kRequestSize = 28;
inline constexpr size_t kOptionHeaderSize = 16;

// What the block size information says. Any byte range is accepted; 4 KiB is what costs least.
inline constexpr uint32_t kMinimumBlock = 1;
inline constexpr uint32_t kPreferredBlock = 4096;
inline constexpr uint32_t kMaximumPayload = 32u << 20;

inline constexpr size_t kMaxNameLength = 4096;           // the document's limit on strings
inline constexpr size_t kMaxOptionLength = 16384;        // longer ones are answered with "too big" and skipped ...
inline constexpr size_t kMaxSkippedOption = 1u << 20;    // ... up to this; beyond it the connection ends
inline constexpr size_t kMaxInfoRequests = 64;
inline constexpr size_t kMaxMetaQueries = 64;
inline constexpr size_t kMaxStatusExtents = 510;         // of one block status reply

}  // namespace lockstep::nbd
