#include "target/nbd/connection.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/assert.h"
#include "base/codec.h"

namespace lockstep::nbd {
namespace {

// A payload of which more than this is still to come is received straight into its own buffer; less comes through the
// receive buffer together with the requests behind it.
constexpr size_t kDirectPayload = 32 * 1024;
// The receive buffer is moved to its front when less room than this is left at its end.
constexpr size_t kLeastRoom = 40 * 1024;
static_assert(kLeastRoom > kMaxOptionLength + kOptionHeaderSize && kLeastRoom > kDirectPayload + kRequestSize);
// Replies of one write.
constexpr size_t kMaxGathered = 256;

bool AllZero(io::Buffer data) {
  constexpr size_t kProbe = 16;
  const std::byte* p = data.data;
  const size_t probe = std::min(kProbe, data.size);
  for (size_t i = 0; i < probe; ++i)
    if (p[i] != std::byte{0}) return false;
  return data.size <= kProbe || std::memcmp(p, p + kProbe, data.size - kProbe) == 0;
}

block::Request::Op ToOp(Command command) {
  switch (command) {
    case Command::kRead: return block::Request::Op::kRead;
    case Command::kWrite: return block::Request::Op::kWrite;
    case Command::kTrim: return block::Request::Op::kDiscard;
    case Command::kWriteZeroes: return block::Request::Op::kWriteZeroes;
    default: return block::Request::Op::kFlush;
  }
}

size_t MemoryFor(const RequestHeader& header) {
  switch (header.command) {
    case Command::kRead:
    case Command::kWrite: return header.length;
    case Command::kBlockStatus: return kMaxStatusExtents * 2 * sizeof(uint32_t);
    default: return 0;
  }
}

}  // namespace

Connection::Connection(ConnectionHost& host, std::unique_ptr<io::Stream> stream)
    : host_(&host),
      stream_(std::move(stream)),
      peer_(stream_->peer()),
      handshake_(host),
      in_(new std::byte[host.limits().receive_buffer]),
      reply_headers_(kMaxGathered * ReplyHeader::kCapacity) {
  LS_ASSERT(host.limits().receive_buffer > kLeastRoom);
  gathered_.reserve(2 * kMaxGathered);
}

void Connection::Start() {
  timer_ = host_->loop().After(host_->limits().handshake_timeout, [self = weak_from_this()] {
    if (const auto connection = self.lock()) connection->Drain("no export was chosen in time");
  });
  ProcessHandshake();
}

void Connection::Drain(std::string reason) {
  if (state_ == State::kDraining || state_ == State::kClosed) return;
  if (!reason.empty()) host_->log().Info("nbd: {} (export \"{}\"): {}", peer_, export_name_, reason);
  state_ = State::kDraining;
  host_->loop().Cancel(timer_);
  timer_ = host_->loop().After(host_->limits().drain_timeout, [self = weak_from_this()] {
    if (const auto connection = self.lock()) connection->CloseStream();
  });
  MaybeFinish();
}

void Connection::Abandon() {
  if (host_ == nullptr) return;
  host_->loop().Cancel(timer_);
  state_ = State::kClosed;
  stream_.reset();
  host_ = nullptr;
}

// --- receiving

bool Connection::AtLimit() const {
  return in_flight_ >= host_->limits().requests_in_flight || bytes_in_flight_ >= host_->limits().bytes_in_flight;
}

std::span<std::byte> Connection::ReadTarget() {
  if (receiving_ != nullptr && receiving_->data.size - receiving_->received > kDirectPayload) {
    reading_payload_ = true;
    return {receiving_->data.data + receiving_->received, receiving_->data.size - receiving_->received};
  }
  reading_payload_ = false;
  const size_t capacity = host_->limits().receive_buffer;
  if (begin_ == end_) {
    begin_ = end_ = 0;
  } else if (capacity - end_ < kLeastRoom) {
    std::memmove(in_.get(), in_.get() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  return {in_.get() + end_, capacity - end_};
}

void Connection::ReadMore() {
  if (reading_ || stream_ == nullptr || state_ == State::kDraining || state_ == State::kClosed) return;
  // Back-pressure: what is not read stays in the socket and stops the client in the end.
  if (receiving_ == nullptr && state_ == State::kOpen && AtLimit()) return;
  reading_ = true;
  stream_->Read(ReadTarget(), [self = shared_from_this()](Result<size_t> result) { self->OnRead(std::move(result)); });
}

void Connection::OnRead(Result<size_t> result) {
  reading_ = false;
  if (state_ == State::kDraining || state_ == State::kClosed) return;
  if (!result.ok()) {
    Drain(result.status().ToString());
    return CloseStream();
  }
  if (*result == 0) return Drain(state_ == State::kHandshake ? "the client went away in the handshake" : "");
  if (reading_payload_) {
    receiving_->received += *result;
  } else {
    end_ += *result;
  }
  if (state_ == State::kHandshake) {
    ProcessHandshake();
  } else {
    ProcessRequests();
  }
}

// --- handshake

void Connection::ProcessHandshake() {
  // One option at a time: its answer has left before the next is looked at, so a client cannot make answers pile up.
  while (handshake_.state() == Handshake::State::kNegotiating && handshake_.output().empty()) {
    const size_t taken = handshake_.Feed(Unread());
    begin_ += taken;
    if (taken == 0) return ReadMore();
  }
  if (handshake_.output().empty()) return OnHandshakeWritten(Status::Ok());
  handshake_output_ = std::exchange(handshake_.output(), {});
  writing_ = true;
  const io::Buffer out{reinterpret_cast<std::byte*>(handshake_output_.data()), handshake_output_.size()};
  gathered_.assign(1, out);
  stream_->Write(gathered_,
                 [self = shared_from_this()](Status status) { self->OnHandshakeWritten(std::move(status)); });
}

void Connection::OnHandshakeWritten(Status status) {
  writing_ = false;
  if (state_ != State::kHandshake) return state_ == State::kDraining ? MaybeFinish() : void();
  if (!status.ok()) {
    Drain(status.ToString());
    return CloseStream();
  }
  switch (handshake_.state()) {
    case Handshake::State::kNegotiating: return ProcessHandshake();
    case Handshake::State::kClosed: return Drain(handshake_.reason());
    case Handshake::State::kTransmission: return EnterTransmission();
  }
}

void Connection::EnterTransmission() {
  const Session& session = handshake_.session();
  Result<std::shared_ptr<block::AlignedVolume>> volume = host_->Open(session.info.name);
  if (!volume.ok()) return Drain(volume.status().ToString());
  volume_ = std::move(volume).value();
  export_name_ = session.info.name;
  transmission_.emplace(session);
  handshake_output_ = {};
  host_->loop().Cancel(timer_);
  timer_ = io::TimerId::kNone;
  state_ = State::kOpen;
  host_->log().Info("nbd: {} uses export \"{}\"", peer_, export_name_);
  host_->Entered(*this);
  ProcessRequests();
}

// --- requests

void Connection::ProcessRequests() {
  while (ProcessOne()) {
  }
  ReadMore();
}

// True when there may be more to do with what has been received.
bool Connection::ProcessOne() {
  if (state_ != State::kOpen) return false;
  if (receiving_ != nullptr) return TakePayload();
  if (AtLimit()) return false;
  size_t taken = 0;
  const Transmission::Event event = transmission_->Feed(Unread(), taken);
  begin_ += taken;
  switch (event) {
    case Transmission::Event::kNeedMore: return false;
    case Transmission::Event::kRequest:
      Begin(transmission_->request());
      return true;
    case Transmission::Event::kRefused: {
      ++in_flight_;
      Operation& operation = host_->operations().Take(*this, transmission_->request(), 0);
      operation.error = transmission_->refusal();
      QueueReply(operation);
      return true;
    }
    case Transmission::Event::kDisconnect: Drain(""); return false;
    case Transmission::Event::kBroken: Drain(std::string(transmission_->reason())); return false;
  }
  return false;
}

void Connection::Begin(const RequestHeader& header) {
  Operation& operation = host_->operations().Take(*this, header, MemoryFor(header));
  ++in_flight_;
  bytes_in_flight_ += operation.data.size;
  if (header.command == Command::kWrite) {
    receiving_ = &operation;
  } else if (header.command == Command::kBlockStatus) {
    SubmitBlockStatus(operation);
  } else {
    SubmitToVolume(operation);
  }
}

// Copies what has been received of the payload; true when that was all of it.
bool Connection::TakePayload() {
  Operation& operation = *receiving_;
  const size_t n = std::min(end_ - begin_, operation.data.size - operation.received);
  std::memcpy(operation.data.data + operation.received, in_.get() + begin_, n);
  begin_ += n;
  operation.received += n;
  if (operation.received < operation.data.size) return false;
  receiving_ = nullptr;
  SubmitToVolume(operation);
  return true;
}

void Connection::SubmitToVolume(Operation& operation) {
  block::Request& request = operation.request;
  request.op = ToOp(operation.header.command);
  request.fua = (operation.header.flags & kCommandFua) != 0;
  request.offset = request.op == block::Request::Op::kFlush ? 0 : operation.header.offset;
  request.length = request.op == block::Request::Op::kFlush ? 0 : operation.header.length;
  const bool transfers = operation.data.data != nullptr;
  request.buffers = transfers ? std::span<const io::Buffer>(&operation.data, 1) : std::span<const io::Buffer>();
  request.status = Status::Ok();
  request.context = &operation;
  request.done = [](block::Request& r) {
    auto& done = *static_cast<Operation*>(r.context);
    done.connection->OnVolumeDone(done, r.status);
  };
  ++in_volume_;
  volume_->Submit(request);
}

void Connection::OnVolumeDone(Operation& operation, const Status& status) {
  --in_volume_;
  operation.error = ToError(status);
  // It was inside when the session began, and the volume has been made smaller: as for any request beyond the end.
  const RequestHeader& header = operation.header;
  const bool adds = header.command == Command::kWrite || header.command == Command::kWriteZeroes;
  if (status.code() == Code::kInvalidArgument && adds && header.offset + header.length > volume_->size())
    operation.error = Error::kNoSpace;
  if (!status.ok()) {
    host_->log().Warn("nbd: export \"{}\": request {} at {}+{} failed: {}", export_name_,
                      static_cast<int>(operation.header.command), operation.header.offset, operation.header.length,
                      status.ToString());
  }
  QueueReply(operation);
}

void Connection::SubmitBlockStatus(Operation& operation) {
  const RequestHeader& header = operation.header;
  const size_t limit = (header.flags & kCommandReqOne) != 0 ? 1 : kMaxStatusExtents;
  ++in_volume_;
  Spawn(volume_->Allocated(header.offset, header.length, limit),
        [&operation](Result<std::vector<block::Extent>> extents) {
          operation.connection->OnBlockStatus(operation, std::move(extents));
        });
}

void Connection::OnBlockStatus(Operation& operation, Result<std::vector<block::Extent>> extents) {
  --in_volume_;
  operation.error = ToError(extents.status());
  if (extents.ok()) {
    std::byte* to = operation.data.data;
    const size_t count = std::min(extents->size(), kMaxStatusExtents);
    for (size_t i = 0; i < count; ++i) {
      const block::Extent& extent = (*extents)[i];
      const uint32_t pair[2] = {ToBig(static_cast<uint32_t>(extent.length)),
                                ToBig(extent.allocated ? 0u : kStateHole | kStateZero)};
      std::memcpy(to, pair, sizeof pair);
      to += sizeof pair;
    }
    operation.payload = {operation.data.data, count * 2 * sizeof(uint32_t)};
  }
  QueueReply(operation);
}

// --- replies

void Connection::MakeReply(Operation& operation) {
  const RequestHeader& header = operation.header;
  if (operation.error == Error::kNone && header.command == Command::kRead) {
    if (transmission_->MaySendHole() && AllZero(operation.data)) {
      operation.reply = transmission_->ReadHole(header);
    } else {
      operation.reply = transmission_->ReadData(header);
      operation.payload = operation.data;
    }
  } else if (operation.error == Error::kNone && header.command == Command::kBlockStatus) {
    operation.reply = transmission_->BlockStatus(header, operation.payload.size / (2 * sizeof(uint32_t)));
  } else {
    operation.reply = transmission_->Done(header, operation.error);
  }
}

void Connection::QueueReply(Operation& operation) {
  if (stream_ == nullptr) {
    Release(operation);
    return MaybeFinish();
  }
  MakeReply(operation);
  replies_.Push(operation);
  if (writing_ || send_scheduled_) return;
  send_scheduled_ = true;
  host_->loop().BeforeWait([self = shared_from_this()] {
    self->send_scheduled_ = false;
    self->SendReplies();
  });
}

// Adds a reply to what is sent next. Headers without data between them lie side by side and go as one piece.
void Connection::Gather(Operation& operation) {
  std::byte* header = reply_headers_.data() + reply_headers_used_;
  std::memcpy(header, operation.reply.bytes.data(), operation.reply.size);
  reply_headers_used_ += operation.reply.size;
  if (!gathered_.empty() && gathered_.back().data + gathered_.back().size == header) {
    gathered_.back().size += operation.reply.size;
  } else {
    gathered_.push_back({header, operation.reply.size});
  }
  if (operation.payload.size > 0) gathered_.push_back(operation.payload);
}

void Connection::SendReplies() {
  if (stream_ == nullptr || writing_ || replies_.empty()) return;
  gathered_.clear();
  reply_headers_used_ = 0;
  for (size_t n = 0; n < kMaxGathered && !replies_.empty(); ++n) {
    Operation& operation = *replies_.Pop();
    Gather(operation);
    sending_.Push(operation);
  }
  writing_ = true;
  stream_->Write(gathered_, [self = shared_from_this()](Status status) { self->OnRepliesWritten(std::move(status)); });
}

void Connection::OnRepliesWritten(Status status) {
  writing_ = false;
  if (stream_ == nullptr || state_ == State::kClosed) return;
  if (!status.ok()) {
    Drain(status.ToString());
    return CloseStream();
  }
  while (Operation* operation = sending_.Pop()) Release(*operation);
  SendReplies();
  if (state_ == State::kOpen && !reading_) ProcessRequests();
  MaybeFinish();
}

// --- the end

void Connection::Release(Operation& operation) {
  --in_flight_;
  bytes_in_flight_ -= operation.data.size;
  host_->operations().Give(operation);
}

void Connection::MaybeFinish() {
  if (state_ != State::kDraining || in_volume_ > 0) return;
  if (stream_ != nullptr) {
    if (!writing_ && replies_.empty()) CloseStream();
    return;
  }
  if (!stream_closed_ || in_flight_ > 0) return;
  state_ = State::kClosed;
  host_->loop().Cancel(timer_);
  std::exchange(host_, nullptr)->Closed(*this);
}

// The stream is destroyed later: this may be called from one of its callbacks. Until then it may still use the memory
// of the operations that it reads into or writes from.
void Connection::CloseStream() {
  if (stream_ == nullptr || host_ == nullptr) return;
  host_->loop().Post([self = shared_from_this(), stream = std::move(stream_)]() mutable {
    stream.reset();
    if (self->host_ != nullptr) self->OnStreamClosed();
  });
}

void Connection::OnStreamClosed() {
  stream_closed_ = true;
  if (receiving_ != nullptr) Release(*std::exchange(receiving_, nullptr));
  while (Operation* operation = sending_.Pop()) Release(*operation);
  while (Operation* operation = replies_.Pop()) Release(*operation);
  MaybeFinish();
}

}  // namespace lockstep::nbd
