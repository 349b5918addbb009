// The first half of a connection: greeting, options, and the choice of an export. Bytes in, bytes out, no I/O.
//
// Fixed newstyle only. See docs/interfaces/nbd.md for the options that are understood.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/codec.h"
#include "target/nbd/protocol.h"

namespace lockstep::nbd {

// What a client is told about an export.
struct ExportInfo {
  std::string name;         // the canonical one; differs from what was asked for only for the default export ""
  std::string description;  // may be empty
  uint64_t size = 0;        // bytes
  bool read_only = false;
};

// Where the handshake looks exports up. Answers at once.
class ExportDirectory {
 public:
  virtual ~ExportDirectory() = default;
  virtual std::optional<ExportInfo> Describe(std::string_view name) = 0;
  virtual std::vector<ExportInfo> List() = 0;
};

// What the two sides agreed on, when the handshake is over.
struct Session {
  ExportInfo info;
  bool structured_replies = false;
  bool allocation_context = false;  // block status of "base:allocation" may be asked for
};

class Handshake {
 public:
  enum class State : uint8_t {
    kNegotiating,   // feed on
    kTransmission,  // session() is set; what follows in the stream are requests
    kClosed,        // send the output, then close
  };

  // `directory` outlives it. The output holds the greeting from the start.
  explicit Handshake(ExportDirectory& directory);

  // Takes bytes from the front of `in` and answers how many: less than a whole message is left for a later call with
  // more behind it. Handles at most one option, so that output() cannot grow beyond one option's answer if the caller
  // sends it before feeding again. Answers 0 when more bytes are needed or the state is not kNegotiating. A caller's
  // buffer of kMaxOptionLength + kOptionHeaderSize bytes is always enough to make progress.
  size_t Feed(std::span<const std::byte> in);

  State state() const { return state_; }
  // Bytes for the client, in order; the caller takes them out.
  std::string& output() { return output_; }
  // REQUIRES: state() == kTransmission.
  const Session& session() const { return session_; }
  // Why the connection was closed, for the log; empty when the client asked for it.
  const std::string& reason() const { return reason_; }

 private:
  struct MetaQuery {
    std::string export_name;
    std::vector<std::string> queries;
  };

  size_t FeedClientFlags(std::span<const std::byte> in);
  size_t FeedOption(std::span<const std::byte> in);
  void HandleOption(uint32_t option, std::span<const std::byte> data);
  void HandleExportName(std::span<const std::byte> data);
  void HandleList(std::span<const std::byte> data);
  void HandleInfo(Option option, std::span<const std::byte> data);
  void HandleStructuredReply(std::span<const std::byte> data);
  void HandleMetaContext(Option option, std::span<const std::byte> data);
  std::optional<MetaQuery> ParseMetaQuery(Option option, std::span<const std::byte> data);
  void SendInfo(Option option, const ExportInfo& info, const std::vector<uint16_t>& wanted);
  void Enter(ExportInfo info);
  void Close(std::string reason);
  void Reply(uint32_t option, OptionReply type, std::string_view data = {});
  uint16_t TransmissionFlags(const ExportInfo& info) const;

  ExportDirectory& directory_;
  State state_ = State::kNegotiating;
  bool have_client_flags_ = false;
  bool no_zeroes_ = false;
  size_t skip_ = 0;  // bytes of an oversized option still to be dropped
  std::optional<std::string> context_export_;  // the export that "base:allocation" was selected for
  Session session_;
  std::string output_;
  std::string reason_;
};

}  // namespace lockstep::nbd
