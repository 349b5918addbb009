// One HTTP/1.x connection of a server, without I/O: bytes in, requests out, replies in, bytes out. RFC 9112 by
// Boost.Beast's parser; bodies with Content-Length or chunked. Requests of one connection are handled one after
// another, so pipelined ones are answered in order.
//
//   engine.Feed(bytes);
//   if (engine.HasRequest()) engine.Answer(Handle(engine.TakeRequest()));
//   send(engine.TakeOutput()); if (engine.closing()) close after it;
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lockstep::wbem {

struct HttpLimits {
  uint32_t header_bytes_max = 16 * 1024;
  uint64_t body_bytes_max = 4 * 1024 * 1024;
};

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

struct HttpRequest {
  std::string method;
  std::string target;
  int version = 11;  // 10 or 11
  HttpHeaders headers;
  std::string body;
  // nullptr when there is none; names without case. The first, if there are several.
  const std::string* Find(std::string_view name) const;
};

// Content-Length, Transfer-Encoding, Connection and the status line are the engine's.
struct HttpReply {
  int status = 200;
  HttpHeaders headers;
  std::string body;
  // After pieces have been sent: what follows the body (only a chunked reply has room for it, and only a client that
  // said `TE: trailers` reads it).
  HttpHeaders trailers = {};
  // After pieces have been sent: the body cannot be completed. The connection is closed in a way that no client takes
  // for the end of the body.
  bool broken = false;
};

// What is to be sent, in this order. Large bodies are moved here and never copied.
struct HttpOutput {
  std::string head, body, tail;
  bool empty() const { return head.empty() && body.empty() && tail.empty(); }
};

class HttpConnection {
 public:
  explicit HttpConnection(const HttpLimits& limits);
  ~HttpConnection();
  HttpConnection(const HttpConnection&) = delete;
  HttpConnection& operator=(const HttpConnection&) = delete;

  // Bytes from the peer, split anywhere. What the protocol or the limits refuse (400, 413, 417, 431, 505) is answered
  // by the engine itself, which is then closing(). Ignored when closing.
  void Feed(std::span<const std::byte> bytes);
  // A complete request waits. It is taken once; then nothing more is parsed until Answer.
  bool HasRequest() const;
  HttpRequest TakeRequest();
  // The reply to the request that was taken last; after pieces, their end (status and headers are not looked at).
  void Answer(HttpReply reply);
  // The beginning of a reply whose length is not known yet, or the next piece of it: to HTTP/1.1 chunked, to HTTP/1.0
  // up to the end of the connection. `head.body` is the piece; all output is to be taken before the next one.
  void AnswerPiece(HttpReply head);
  // Answers instead of whatever comes, and closes. Not between TakeRequest and Answer.
  void Refuse(int status);

  std::string TakeOutput();
  HttpOutput TakePieces() { return std::exchange(output_, {}); }
  // No request will follow: close once the output has been sent.
  bool closing() const { return closing_; }
  // False while a request waits or is being handled: stop reading then, so that a client that sends more than it reads
  // is held back.
  bool WantsInput() const;
  // Part of a request is here: the client may be slow.
  bool InRequest() const;
  // Bytes held for requests.
  size_t buffered() const;

 private:
  struct Parser;
  void Parse();
  void Append(HttpReply reply, bool keep_alive);
  void AppendHead(const HttpReply& reply, bool keep_alive, std::optional<size_t> length);
  void AppendBody(std::string body);
  void AppendPiece(std::string body);
  void EndPieces(const HttpReply& reply);

  const HttpLimits limits_;
  std::unique_ptr<Parser> parser_;
  std::string input_;   // not parsed yet
  HttpOutput output_;
  bool continued_ = false;  // 100 Continue has been sent for this request
  bool handling_ = false;
  bool in_pieces_ = false;  // of the reply that is being made
  bool chunked_ = false;
  bool closing_ = false;
};

}  // namespace lockstep::wbem
