#include "wbem/http_server.h"

#include <array>

#include <fmt/format.h>

#include "base/assert.h"

namespace lockstep::wbem {
namespace {

constexpr size_t kReadSize = 8 * 1024;
constexpr size_t kWriteSize = 256 * 1024;
// How long a closing connection goes on reading, so that a client that is still sending sees our last answer and not a
// reset (RFC 9112 9.6).
constexpr io::Duration kLinger = std::chrono::seconds(2);
constexpr size_t kLingerBytes = 16 * 1024 * 1024;

}  // namespace

// Kept alive by the server and by a handler that runs for it. After Close it does nothing any more.
class HttpServer::Connection final : public std::enable_shared_from_this<Connection>, public HttpStream {
 public:
  Connection(HttpServer& server, uint64_t id, std::unique_ptr<io::Stream> stream, const io::TlsStream* tls)
      : server_(server),
        id_(id),
        stream_(std::move(stream)),
        tls_(tls),
        peer_(stream_->peer()),
        engine_(server.options_.limits) {}

  void Start() { Advance(); }
  void RefuseAndClose(int status) {
    engine_.Refuse(status);
    Advance();
  }

  // Destroys the stream, so that no callback of it comes any more, and leaves the server's list.
  void Close() {
    if (!stream_) return;
    SetTimer(Waiting::kNothing);
    tls_ = nullptr;
    stream_.reset();
    server_.buffered_ -= counted_;
    counted_ = 0;
    // A handler that waits for its piece to be taken goes on, and sees that the stream is gone.
    if (drained_) server_.loop_.Post(std::move(drained_));
    server_.Forget(id_);
  }

  Task<bool> Send(HttpReply& head) override {
    if (!stream_) co_return false;
    engine_.AnswerPiece(std::move(head));
    head.body = {};
    Advance();
    if (stream_ && writing_) co_await SuspendWith([this](auto resume) { drained_ = std::move(resume); });
    if (!stream_) co_return false;
    head.body = std::move(spare_);
    head.body.clear();
    co_return true;
  }

  HttpClient client() const override {
    return {peer_, encrypted_, tls_ ? tls_->peer_name() : std::string()};
  }

 private:
  enum class Waiting : uint8_t { kNothing, kHandshake, kRequest, kRestOfRequest, kWrite, kPeerToClose };

  // Does whatever can be done now. Callbacks of the stream never run inside its calls, so this does not recurse through
  // them; only a handler that ends at once comes back through Answered.
  void Advance() {
    const auto self = shared_from_this();
    while (stream_) {
      // The stream may still be reading output_.
      if (!writing_) StartWrite();
      if (handling_ || writing_ || !engine_.HasRequest()) break;
      StartHandler();
    }
    if (!stream_) return;
    if (engine_.closing() && !writing_ && !handling_) {
      Linger();
      return;
    }
    if (peer_done_ && !handling_ && !writing_) {
      Close();
      return;
    }
    if (!reading_ && !peer_done_ && engine_.WantsInput() && !writing_) StartRead();
    SetTimer(NowWaitingFor());
  }

  Waiting NowWaitingFor() const {
    if (writing_) return Waiting::kWrite;
    if (handling_) return Waiting::kNothing;
    if (tls_ && !tls_->established()) return Waiting::kHandshake;
    return engine_.InRequest() ? Waiting::kRestOfRequest : Waiting::kRequest;
  }

  void StartRead() {
    reading_ = true;
    stream_->Read(input_, [this](Result<size_t> n) {
      reading_ = false;
      if (!n.ok()) return Close();
      if (*n == 0) peer_done_ = true;
      if (lingering_) {
        lingered_ += *n;
        return peer_done_ || lingered_ > kLingerBytes ? Close() : StartRead();
      }
      engine_.Feed(std::span(input_).first(*n));
      BoundBuffered();
      Advance();
    });
  }

  // False when all connections together now hold more than they may.
  bool CountBuffered() {
    const size_t now = engine_.buffered();
    server_.buffered_ = server_.buffered_ - counted_ + now;
    counted_ = now;
    return server_.buffered_ <= server_.options_.buffered_bytes_max || counted_ == 0 || engine_.HasRequest();
  }
  void BoundBuffered() {
    if (CountBuffered()) return;
    engine_.Refuse(503);
    CountBuffered();
  }

  // Sends what there is: all of a small reply at once, a large one in pieces that each have their time.
  void StartWrite() {
    if (output_.empty()) {
      output_ = engine_.TakePieces();
      if (output_.empty()) return;
      written_ = 0;
    }
    writing_ = true;
    size_t count = 0, skip = written_, left = kWriteSize;
    for (std::string* part : {&output_.head, &output_.body, &output_.tail}) {
      if (skip >= part->size()) {
        skip -= part->size();
        continue;
      }
      io::Buffer& buffer = buffers_[count];
      buffer.data = reinterpret_cast<std::byte*>(part->data()) + skip;
      buffer.size = std::min(part->size() - skip, left);
      skip = 0;
      left -= buffer.size;
      written_ += buffer.size;
      ++count;
      if (left == 0) break;
    }
    if (waiting_ == Waiting::kWrite) SetTimer(Waiting::kNothing);  // each piece has its own time
    stream_->Write(std::span(buffers_).first(count), [this](const Status& status) { Wrote(status); });
  }

  void Wrote(const Status& status) {
    writing_ = false;
    if (!status.ok()) return Close();
    const auto self = shared_from_this();
    if (written_ == output_.head.size() + output_.body.size() + output_.tail.size()) {
      spare_ = std::move(output_.body);  // the memory of a piece serves the next
      if (!drained_) spare_ = {};
      output_ = {};
      if (drained_) {
        std::exchange(drained_, nullptr)();
        if (!stream_) return;
      }
    }
    Advance();
  }

  void StartHandler() {
    handling_ = true;
    ++server_.handlers_;
    SetTimer(Waiting::kNothing);
    HttpRequest request = engine_.TakeRequest();
    CountBuffered();
    in_handler_ = true;
    Spawn(server_.handler_(std::move(request), peer_, *this), [self = shared_from_this()](HttpReply reply) {
      HttpServer& server = self->server_;
      self->Answered(std::move(reply));
      server.HandlerEnded();
    });
    in_handler_ = false;
  }

  void Answered(HttpReply reply) {
    handling_ = false;
    if (!stream_) return;  // the connection broke meanwhile
    engine_.Answer(std::move(reply));
    BoundBuffered();
    if (!in_handler_) Advance();
  }

  void Linger() {
    if (lingering_) return;
    lingering_ = true;
    stream_->ShutdownWrite();
    SetTimer(Waiting::kPeerToClose);
    if (peer_done_) return Close();
    if (!reading_) StartRead();
  }

  // A timer runs for as long as the same thing is waited for; a new wait gets a new one.
  void SetTimer(Waiting waiting) {
    if (waiting == waiting_) return;
    server_.loop_.Cancel(timer_);
    timer_ = io::TimerId::kNone;
    waiting_ = waiting;
    if (waiting == Waiting::kNothing) return;
    const HttpServerOptions& o = server_.options_;
    const io::Duration time = waiting == Waiting::kHandshake       ? o.handshake_max
                              : waiting == Waiting::kRequest       ? o.idle_max
                              : waiting == Waiting::kRestOfRequest ? o.request_max
                              : waiting == Waiting::kWrite         ? o.write_max
                                                                   : kLinger;
    timer_ = server_.loop_.After(time, [this] { TimedOut(); });
  }

  void TimedOut() {
    const Waiting was = std::exchange(waiting_, Waiting::kNothing);
    timer_ = io::TimerId::kNone;
    if (was != Waiting::kRestOfRequest) return Close();
    server_.log_.Debug("wbem: {} took too long to send a request", peer_);
    RefuseAndClose(408);
  }

  HttpServer& server_;
  const uint64_t id_;
  std::unique_ptr<io::Stream> stream_;  // null: closed
  const io::TlsStream* tls_;            // stream_, when it is encrypted
  const bool encrypted_ = tls_ != nullptr;
  const std::string peer_;
  HttpConnection engine_;
  std::array<std::byte, kReadSize> input_;
  HttpOutput output_;     // what is being sent
  size_t written_ = 0;    // of it, handed to the stream
  std::array<io::Buffer, 3> buffers_{};
  std::string spare_;     // memory for the next piece
  io::Closure drained_;   // the handler that waits for its piece to be sent
  size_t lingered_ = 0;   // bytes read for nothing after the last answer
  size_t counted_ = 0;    // what buffered_ of the server includes for this connection
  io::TimerId timer_ = io::TimerId::kNone;
  Waiting waiting_ = Waiting::kNothing;
  bool reading_ = false, writing_ = false, handling_ = false, in_handler_ = false;
  bool peer_done_ = false, lingering_ = false;
};

HttpServer::HttpServer(io::Loop& loop, io::Network& network, Log& log, HttpServerOptions options, Handler handler)
    : loop_(loop), network_(network), log_(log), options_(options), handler_(std::move(handler)) {}

HttpServer::~HttpServer() { LS_ASSERT(listeners_.empty() && connections_.empty() && handlers_ == 0); }

Result<io::Endpoint> HttpServer::Listen(const io::Endpoint& at, const io::TlsContext* tls) {
  if (!tls && options_.loopback_only && !at.IsLoopback())
    return InvalidArgument(fmt::format("the CIM server listens on {} only when the configuration allows addresses "
                                       "other than loopback, because HTTP has neither encryption nor passwords",
                                       at.ToString()));
  auto listener = network_.Listen(at, [this, tls](std::unique_ptr<io::Stream> stream) {
    Accept(std::move(stream), tls);
  });
  if (!listener.ok()) return listener.status().WithContext("CIM server");
  const io::Endpoint taken = (*listener)->endpoint();
  listeners_.push_back(*std::move(listener));
  log_.Info("wbem: CIM-XML over {} on {}", tls ? "HTTPS" : "HTTP", taken.ToString());
  return taken;
}

void HttpServer::Accept(std::unique_ptr<io::Stream> stream, const io::TlsContext* tls) {
  // A few more than allowed are kept just long enough to be told; beyond that they are dropped.
  if (connections_.size() >= options_.connections_max + 16ull) return;
  const uint64_t id = next_id_++;
  const io::TlsStream* encrypted = nullptr;
  if (tls) {
    std::unique_ptr<io::TlsStream> wrapped = tls->Wrap(loop_, std::move(stream));
    encrypted = wrapped.get();
    stream = std::move(wrapped);
  }
  const auto connection = std::make_shared<Connection>(*this, id, std::move(stream), encrypted);
  const bool refuse = connections_.size() >= options_.connections_max;
  connections_.emplace(id, connection);
  if (refuse) connection->RefuseAndClose(503);
  else connection->Start();
}

void HttpServer::Forget(uint64_t id) { connections_.erase(id); }

void HttpServer::HandlerEnded() {
  if (--handlers_ == 0 && stopped_) loop_.Post(std::move(stopped_));
}

Task<void> HttpServer::Stop() {
  listeners_.clear();
  while (!connections_.empty()) {
    const std::shared_ptr<Connection> connection = connections_.begin()->second;
    connection->Close();
  }
  if (handlers_ > 0) co_await SuspendWith([this](auto resume) { stopped_ = std::move(resume); });
}

}  // namespace lockstep::wbem
