// The NBD engines on bytes from a hostile client. The first byte of an input says where it starts (in the handshake, or
// behind one) and how the rest is cut into pieces. Whatever comes, the engines must not crash, must get on or ask for
// more, and must keep what they hold and answer within the limits.
#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/assert.h"
#include "target/nbd/handshake.h"
#include "target/nbd/transmission.h"

namespace lockstep::nbd {
namespace {

class Directory final : public ExportDirectory {
 public:
  std::optional<ExportInfo> Describe(std::string_view name) override {
    if (name.empty() || name == "a") return ExportInfo{"a", "description", 1 << 20, false};
    if (name == "ro") return ExportInfo{"ro", "", uint64_t{1} << 50, true};
    return std::nullopt;
  }
  std::vector<ExportInfo> List() override { return {*Describe("a"), *Describe("ro")}; }
};

// One option's answer: of this directory, a few hundred bytes.
constexpr size_t kMaxAnswer = 4096;

void Answer(const Transmission& transmission, const RequestHeader& request) {
  for (const Error error : {Error::kNone, Error::kIo}) {
    LS_ASSERT(transmission.Done(request, error).size >= 16);
  }
  if (transmission.MaySendHole()) LS_ASSERT(transmission.ReadHole(request).size == 32);
  LS_ASSERT(transmission.ReadData(request).size <= ReplyHeader::kCapacity);
  LS_ASSERT(transmission.BlockStatus(request, kMaxStatusExtents).size == 24);
}

void CheckAccepted(const Session& session, const RequestHeader& request) {
  if (request.command == Command::kFlush) return;
  LS_ASSERT(request.length > 0 && request.offset < session.info.size);
  LS_ASSERT(request.length <= session.info.size - request.offset);
  const bool transfers = request.command == Command::kRead || request.command == Command::kWrite;
  LS_ASSERT(!transfers || request.length <= kMaximumPayload);
  const bool changes = request.command != Command::kRead && request.command != Command::kBlockStatus;
  LS_ASSERT(!changes || !session.info.read_only);
}

// Answers how many bytes it took; `end` when the connection is over.
size_t Transmit(Transmission& transmission, std::span<const std::byte> in, uint64_t& payload, bool& end) {
  const size_t total = in.size();
  while (!end) {
    const size_t skipped = static_cast<size_t>(std::min<uint64_t>(payload, in.size()));
    payload -= skipped;
    in = in.subspan(skipped);
    if (payload > 0) break;
    size_t taken = 0;
    const Transmission::Event event = transmission.Feed(in, taken);
    LS_ASSERT(taken <= in.size());
    in = in.subspan(taken);
    if (event == Transmission::Event::kNeedMore) break;
    LS_ASSERT(taken >= kRequestSize);
    end = event == Transmission::Event::kDisconnect || event == Transmission::Event::kBroken;
    if (end) break;
    Answer(transmission, transmission.request());
    if (event != Transmission::Event::kRequest) continue;
    CheckAccepted(transmission.session(), transmission.request());
    if (transmission.request().command == Command::kWrite) payload = transmission.request().length;
  }
  return total - in.size();
}

void Run(std::span<const std::byte> input) {
  const auto mode = static_cast<uint8_t>(input[0]);
  input = input.subspan(1);
  Directory directory;
  Handshake handshake(directory);
  std::optional<Transmission> transmission;
  if ((mode & 1) != 0) transmission.emplace(Session{*directory.Describe((mode & 2) ? "ro" : "a"), true, true});
  const size_t piece = 1 + (mode >> 2);
  std::vector<std::byte> held;
  uint64_t payload = 0;
  bool end = false;
  while (!input.empty() && !end) {
    const size_t n = std::min(piece, input.size());
    held.insert(held.end(), input.begin(), input.begin() + static_cast<std::ptrdiff_t>(n));
    input = input.subspan(n);
    while (!transmission && handshake.state() == Handshake::State::kNegotiating) {
      handshake.output().clear();
      const size_t taken = handshake.Feed(held);
      LS_ASSERT(taken <= held.size() && handshake.output().size() <= kMaxAnswer);
      held.erase(held.begin(), held.begin() + static_cast<std::ptrdiff_t>(taken));
      if (taken == 0) break;
    }
    LS_ASSERT(held.size() <= kMaxOptionLength + kOptionHeaderSize + piece);
    if (handshake.state() == Handshake::State::kTransmission && !transmission) {
      transmission.emplace(handshake.session());
    }
    if (!transmission) {
      end = handshake.state() == Handshake::State::kClosed;
      continue;
    }
    const size_t taken = Transmit(*transmission, held, payload, end);
    held.erase(held.begin(), held.begin() + static_cast<std::ptrdiff_t>(taken));
    LS_ASSERT(end || held.size() < kRequestSize);
  }
}

}  // namespace
}  // namespace lockstep::nbd

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size > 0) lockstep::nbd::Run(std::as_bytes(std::span(data, size)));
  return 0;
}
