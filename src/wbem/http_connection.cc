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
  output_ += "HTTP/1.1 100 Continue\r\n\r\n";
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

void HttpConnection::Answer(HttpReply reply) {
  LS_ASSERT(handling_);
  const bool keep_alive = parser_->keep_alive();
  Append(reply, keep_alive);
  handling_ = false;
  continued_ = false;
  parser_ = std::make_unique<Parser>(limits_);
  if (!closing_) Parse();
}

void HttpConnection::Append(const HttpReply& reply, bool keep_alive) {
  fmt::format_to(std::back_inserter(output_), "HTTP/1.1 {} {}\r\nContent-Length: {}\r\n", reply.status,
                 Reason(reply.status), reply.body.size());
  for (const auto& [name, value] : reply.headers)
    fmt::format_to(std::back_inserter(output_), "{}: {}\r\n", name, value);
  // HTTP/1.0 clients that asked to keep the connection look for the word; 1.1 ones take it for granted.
  output_ += keep_alive ? "Connection: keep-alive\r\n\r\n" : "Connection: close\r\n\r\n";
  output_ += reply.body;
  closing_ = closing_ || !keep_alive;
}

}  // namespace lockstep::wbem
