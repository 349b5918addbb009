#include "wbem/http_connection.h"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <fmt/format.h>

#include "base/assert.h"
#include "wbem/names.h"

namespace lockstep::wbem {
namespace http = boost::beast::http;
namespace {

std::string_view View(boost::beast::string_view s) { return {s.data(), s.size()}; }

std::string_view Reason(int status) {
  return View(http::obsolete_reason(http::int_to_status(static_cast<unsigned>(status))));
}

int StatusFor(const boost::beast::error_code& error) {
  if (error == http::error::body_limit) return 413;
  if (error == http::error::header_limit) return 431;
  if (error == http::error::bad_version) return 505;
  return 400;
}

}  // namespace

struct HttpConnection::Parser : http::request_parser<http::string_body> {
  explicit Parser(const HttpLimits& limits) {
    header_limit(limits.header_bytes_max);
    body_limit(limits.body_bytes_max);
    eager(true);
  }
};

const std::string* HttpRequest::Find(std::string_view name) const {
  for (const auto& [key, value] : headers)
    if (NameEquals(key, name)) return &value;
  return nullptr;
}

HttpConnection::HttpConnection(const HttpLimits& limits) : limits_(limits), parser_(std::make_unique<Parser>(limits)) {}
HttpConnection::~HttpConnection() = default;

void HttpConnection::Feed(std::span<const std::byte> bytes) {
  if (closing_) return;
  input_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  Parse();
}

bool HttpConnection::HasRequest() const { return !closing_ && !handling_ && parser_->is_done(); }
bool HttpConnection::WantsInput() const { return !closing_ && !handling_ && !parser_->is_done(); }
bool HttpConnection::InRequest() const { return !handling_ && (parser_->got_some() || !input_.empty()); }
size_t HttpConnection::buffered() const { return input_.size() + (handling_ ? 0 : parser_->get().body().size()); }

void HttpConnection::Parse() {
  size_t used = 0;
  while (used < input_.size() && WantsInput()) {
    boost::beast::error_code error;
    const size_t n = parser_->put(boost::asio::buffer(input_.data() + used, input_.size() - used), error);
    used += n;
    if (error && error != http::error::need_more) {
      Refuse(StatusFor(error));
      return;
    }
    // Whatever comes between headers that were read in one piece and those that were not: what stays unread is bounded
    // by the header limit, because the parser fails beyond it.
    if (error == http::error::need_more || n == 0) break;
  }
  input_.erase(0, used);
  if (!parser_->is_header_done() || parser_->is_done() || continued_) return;
  const auto expect = parser_->get().find(http::field::expect);
  if (expect == parser_->get().end()) return;
  if (!NameEquals(View(expect->value()), "100-continue")) {
    Refuse(417);
    return;
  }
  continued_ = true;
  output_.head += "HTTP/1.1 100 Continue\r\n\r\n";
}

void HttpConnection::Refuse(int status) {
  LS_ASSERT(!handling_);
  if (closing_) return;
  input_.clear();
  parser_ = std::make_unique<Parser>(limits_);  // gives back what it holds
  Append(HttpReply{status, {}, {}}, false);
}

HttpRequest HttpConnection::TakeRequest() {
  LS_ASSERT(HasRequest());
  auto& message = parser_->get();
  HttpRequest request;
  request.method = View(message.method_string());
  request.target = View(message.target());
  request.version = static_cast<int>(message.version());
  for (const auto& field : message) request.headers.emplace_back(View(field.name_string()), View(field.value()));
  request.body = std::move(message.body());
  handling_ = true;
  return request;
}

std::string HttpConnection::TakeOutput() {
  HttpOutput output = TakePieces();
  return std::move(output.head) + output.body + output.tail;
}

void HttpConnection::Answer(HttpReply reply) {
  LS_ASSERT(handling_);
  if (std::exchange(in_pieces_, false)) {
    if (!reply.body.empty()) AppendPiece(std::move(reply.body));
    EndPieces(reply);
  } else {
    const bool keep_alive = parser_->keep_alive();
    Append(std::move(reply), keep_alive);
  }
  handling_ = false;
  continued_ = false;
  parser_ = std::make_unique<Parser>(limits_);
  if (!closing_) Parse();
}

void HttpConnection::AnswerPiece(HttpReply head) {
  LS_ASSERT(handling_);
  if (!in_pieces_) {
    in_pieces_ = true;
    chunked_ = parser_->get().version() >= 11;
    AppendHead(head, chunked_ && parser_->keep_alive(), std::nullopt);
  }
  if (!head.body.empty()) AppendPiece(std::move(head.body));
}

void HttpConnection::Append(HttpReply reply, bool keep_alive) {
  AppendHead(reply, keep_alive, reply.body.size());
  AppendBody(std::move(reply.body));
}

void HttpConnection::AppendHead(const HttpReply& reply, bool keep_alive, std::optional<size_t> length) {
  std::string head;
  head.reserve(256);
  const auto out = std::back_inserter(head);
  fmt::format_to(out, "HTTP/1.1 {} {}\r\n", reply.status, Reason(reply.status));
  if (length) fmt::format_to(out, "Content-Length: {}\r\n", *length);
  else if (chunked_) head += "Transfer-Encoding: chunked\r\n";
  for (const auto& [name, value] : reply.headers) fmt::format_to(out, "{}: {}\r\n", name, value);
  // HTTP/1.0 clients that asked to keep the connection look for the word; 1.1 ones take it for granted.
  head += keep_alive ? "Connection: keep-alive\r\n\r\n" : "Connection: close\r\n\r\n";
  closing_ = closing_ || !keep_alive;
  // A reply before this one that has not been taken yet: only who pipelines without reading sees that.
  if (!output_.body.empty() || !output_.tail.empty()) output_.head = TakeOutput();
  if (output_.head.empty()) output_.head = std::move(head);
  else output_.head += head;
}

void HttpConnection::AppendBody(std::string body) {
  constexpr size_t kSmall = 16 * 1024;  // cheaper copied than sent by itself
  if (body.size() <= kSmall) output_.head += body;
  else output_.body = std::move(body);
}

void HttpConnection::AppendPiece(std::string body) {
  if (!output_.body.empty() || !output_.tail.empty()) output_.head = TakeOutput();
  if (chunked_) fmt::format_to(std::back_inserter(output_.head), "{:x}\r\n", body.size());
  output_.body = std::move(body);
  if (chunked_) output_.tail = "\r\n";
}

void HttpConnection::EndPieces(const HttpReply& reply) {
  closing_ = closing_ || reply.broken;
  if (!chunked_ || reply.broken) return;
  output_.tail += "0\r\n";
  for (const auto& [name, value] : reply.trailers)
    fmt::format_to(std::back_inserter(output_.tail), "{}: {}\r\n", name, value);
  output_.tail += "\r\n";
}

}  // namespace lockstep::wbem
