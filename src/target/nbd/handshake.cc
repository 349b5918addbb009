#include "target/nbd/handshake.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace lockstep::nbd {
namespace {

constexpr std::string_view kAllocation = "base:allocation";

std::string_view AsText(std::span<const std::byte> data) {
  return {reinterpret_cast<const char*>(data.data()), data.size()};
}

// A 32-bit big-endian length and that many bytes; bad when longer than `limit`.
std::string ReadString(Decoder& in, size_t limit) {
  const uint32_t length = in.Big<uint32_t>();
  if (length > limit) {
    in.View(in.remaining() + 1);
    return {};
  }
  return std::string(AsText(in.View(length)));
}

}  // namespace

Handshake::Handshake(ExportDirectory& directory) : directory_(directory) {
  Encoder(output_).Big(kMagic).Big(kOptionMagic).Big<uint16_t>(kFlagFixedNewstyle | kFlagNoZeroes);
}

size_t Handshake::Feed(std::span<const std::byte> in) {
  if (state_ != State::kNegotiating) return 0;
  if (skip_ > 0) {
    const size_t n = std::min(skip_, in.size());
    skip_ -= n;
    return n;
  }
  return have_client_flags_ ? FeedOption(in) : FeedClientFlags(in);
}

size_t Handshake::FeedClientFlags(std::span<const std::byte> in) {
  if (in.size() < sizeof(uint32_t)) return 0;
  const uint32_t flags = Decoder(in).Big<uint32_t>();
  have_client_flags_ = true;
  no_zeroes_ = flags & kFlagNoZeroes;
  if ((flags & ~uint32_t{kFlagFixedNewstyle | kFlagNoZeroes}) != 0) {
    Close(fmt::format("unknown client flags {:#x}", flags));
  } else if ((flags & kFlagFixedNewstyle) == 0) {
    Close("the client does not speak the fixed newstyle handshake");
  }
  return sizeof(uint32_t);
}

size_t Handshake::FeedOption(std::span<const std::byte> in) {
  if (in.size() < kOptionHeaderSize) return 0;
  Decoder header(in);
  const uint64_t magic = header.Big<uint64_t>();
  const uint32_t option = header.Big<uint32_t>();
  const uint32_t length = header.Big<uint32_t>();
  if (magic != kOptionMagic) {
    Close("an option does not begin with its magic number");
    return kOptionHeaderSize;
  }
  if (length > kMaxOptionLength) {
    // The export name option has no error reply, so there is nothing to do but to hang up.
    if (length > kMaxSkippedOption || option == static_cast<uint32_t>(Option::kExportName)) {
      Close(fmt::format("option {} is {} bytes long", option, length));
    } else {
      skip_ = length;
      Reply(option, OptionReply::kErrorTooBig, "the option's data is too long");
    }
    return kOptionHeaderSize;
  }
  if (in.size() < kOptionHeaderSize + length) return 0;
  HandleOption(option, in.subspan(kOptionHeaderSize, length));
  return kOptionHeaderSize + length;
}

void Handshake::HandleOption(uint32_t option, std::span<const std::byte> data) {
  switch (static_cast<Option>(option)) {
    case Option::kExportName: return HandleExportName(data);
    case Option::kAbort:
      Reply(option, OptionReply::kAck);
      return Close("");
    case Option::kList: return HandleList(data);
    case Option::kInfo:
    case Option::kGo: return HandleInfo(static_cast<Option>(option), data);
    case Option::kStructuredReply: return HandleStructuredReply(data);
    case Option::kListMetaContext:
    case Option::kSetMetaContext: return HandleMetaContext(static_cast<Option>(option), data);
    case Option::kStartTls: return Reply(option, OptionReply::kErrorUnsupported, "TLS is not offered here");
  }
  Reply(option, OptionReply::kErrorUnsupported, "unknown option");
}

void Handshake::HandleExportName(std::span<const std::byte> data) {
  std::optional<ExportInfo> info;
  if (data.size() <= kMaxNameLength) info = directory_.Describe(AsText(data));
  // This old option has no error reply: the document has the server hang up.
  if (!info) {
    const std::string_view shown = AsText(data).substr(0, 256);
    return Close(fmt::format("there is no export \"{}\"", shown));
  }
  Encoder(output_).Big(info->size).Big(TransmissionFlags(*info));
  if (!no_zeroes_) output_.append(124, '\0');
  Enter(std::move(*info));
}

void Handshake::HandleList(std::span<const std::byte> data) {
  constexpr auto kOption = static_cast<uint32_t>(Option::kList);
  if (!data.empty()) return Reply(kOption, OptionReply::kErrorInvalid, "LIST has no data");
  for (const ExportInfo& info : directory_.List()) {
    std::string entry;
    Encoder(entry).Big(static_cast<uint32_t>(info.name.size()));
    entry += info.name;
    entry += info.description;
    Reply(kOption, OptionReply::kServer, entry);
  }
  Reply(kOption, OptionReply::kAck);
}

void Handshake::HandleInfo(Option option, std::span<const std::byte> data) {
  const auto number = static_cast<uint32_t>(option);
  Decoder in(data);
  const std::string name = ReadString(in, kMaxNameLength);
  const uint16_t count = in.Big<uint16_t>();
  if (!in.ok() || count > kMaxInfoRequests || in.remaining() != size_t{count} * sizeof(uint16_t)) {
    return Reply(number, OptionReply::kErrorInvalid, "malformed INFO or GO");
  }
  std::vector<uint16_t> wanted(count);
  for (uint16_t& type : wanted) type = in.Big<uint16_t>();
  std::optional<ExportInfo> info = directory_.Describe(name);
  if (!info) return Reply(number, OptionReply::kErrorUnknown, "there is no such export");
  SendInfo(option, *info, wanted);
  if (option != Option::kGo) return;
  if (context_export_ != name) session_.allocation_context = false;
  Enter(std::move(*info));
}

void Handshake::SendInfo(Option option, const ExportInfo& info, const std::vector<uint16_t>& wanted) {
  const auto number = static_cast<uint32_t>(option);
  const auto asked = [&wanted](Info type) {
    return std::find(wanted.begin(), wanted.end(), static_cast<uint16_t>(type)) != wanted.end();
  };
  const auto send = [this, number](Info type, std::string_view payload) {
    std::string data;
    Encoder(data).Big(static_cast<uint16_t>(type));
    data += payload;
    Reply(number, OptionReply::kInfo, data);
  };
  if (asked(Info::kName)) send(Info::kName, info.name);
  if (asked(Info::kDescription) && !info.description.empty()) send(Info::kDescription, info.description);
  if (asked(Info::kBlockSize)) {
    std::string sizes;
    Encoder(sizes).Big(kMinimumBlock).Big(kPreferredBlock).Big(kMaximumPayload);
    send(Info::kBlockSize, sizes);
  }
  std::string geometry;
  Encoder(geometry).Big(info.size).Big(TransmissionFlags(info));
  send(Info::kExport, geometry);
  Reply(number, OptionReply::kAck);
}

void Handshake::HandleStructuredReply(std::span<const std::byte> data) {
  constexpr auto kOption = static_cast<uint32_t>(Option::kStructuredReply);
  if (!data.empty()) return Reply(kOption, OptionReply::kErrorInvalid, "STRUCTURED_REPLY has no data");
  session_.structured_replies = true;
  Reply(kOption, OptionReply::kAck);
}

std::optional<Handshake::MetaQuery> Handshake::ParseMetaQuery(Option option, std::span<const std::byte> data) {
  const auto number = static_cast<uint32_t>(option);
  Decoder in(data);
  MetaQuery query{ReadString(in, kMaxNameLength), {}};
  const uint32_t count = in.Big<uint32_t>();
  if (in.ok() && count > kMaxMetaQueries) {
    Reply(number, OptionReply::kErrorTooBig, "too many queries");
    return std::nullopt;
  }
  for (uint32_t i = 0; in.ok() && i < count; ++i) query.queries.push_back(ReadString(in, kMaxNameLength));
  if (!in.ok() || in.remaining() != 0) {
    Reply(number, OptionReply::kErrorInvalid, "malformed meta context option");
    return std::nullopt;
  }
  return query;
}

void Handshake::HandleMetaContext(Option option, std::span<const std::byte> data) {
  const auto number = static_cast<uint32_t>(option);
  const bool set = option == Option::kSetMetaContext;
  // A new selection, even a failed one, replaces the old.
  if (set) {
    context_export_.reset();
    session_.allocation_context = false;
  }
  if (!session_.structured_replies) {
    return Reply(number, OptionReply::kErrorInvalid, "structured replies have not been negotiated");
  }
  const std::optional<MetaQuery> query = ParseMetaQuery(option, data);
  if (!query) return;
  if (!directory_.Describe(query->export_name)) {
    return Reply(number, OptionReply::kErrorUnknown, "there is no such export");
  }
  const auto matches = [set](const std::string& q) { return q == kAllocation || (!set && q == "base:"); };
  const bool found = (!set && query->queries.empty()) ||
                     std::any_of(query->queries.begin(), query->queries.end(), matches);
  if (found) {
    std::string context;
    Encoder(context).Big(set ? kAllocationContextId : 0);
    context += kAllocation;
    Reply(number, OptionReply::kMetaContext, context);
  }
  if (set && found) {
    context_export_ = query->export_name;
    session_.allocation_context = true;
  }
  Reply(number, OptionReply::kAck);
}

void Handshake::Enter(ExportInfo info) {
  session_.info = std::move(info);
  state_ = State::kTransmission;
}

void Handshake::Close(std::string reason) {
  reason_ = std::move(reason);
  state_ = State::kClosed;
}

void Handshake::Reply(uint32_t option, OptionReply type, std::string_view data) {
  Encoder(output_)
      .Big(kOptionReplyMagic)
      .Big(option)
      .Big(static_cast<uint32_t>(type))
      .Big(static_cast<uint32_t>(data.size()));
  output_ += data;
}

uint16_t Handshake::TransmissionFlags(const ExportInfo& info) const {
  // Multi-conn: the volumes are coherent and a flush on one connection covers what was acknowledged on any.
  uint16_t flags = kHasFlags | kSendFlush | kSendFua | kSendTrim | kSendWriteZeroes | kCanMultiConn | kSendFastZero;
  if (session_.structured_replies) flags |= kSendDf;
  if (info.read_only) flags |= kReadOnly;
  return flags;
}

}  // namespace lockstep::nbd
