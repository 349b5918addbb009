#include "wbem/http_responses.h"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include "base/assert.h"

namespace lockstep::wbem {
namespace http = boost::beast::http;

struct HttpResponses::Parser : http::response_parser<http::string_body> {
  Parser(uint32_t header_bytes_max, uint64_t body_bytes_max) {
    header_limit(header_bytes_max);
    body_limit(body_bytes_max);
    eager(true);
  }
};

HttpResponses::HttpResponses(uint32_t header_bytes_max, uint64_t body_bytes_max)
    : header_bytes_max_(header_bytes_max),
      body_bytes_max_(body_bytes_max),
      parser_(std::make_unique<Parser>(header_bytes_max, body_bytes_max)) {}
HttpResponses::~HttpResponses() = default;

Status HttpResponses::Feed(std::span<const std::byte> bytes) {
  if (!failed_.ok()) return failed_;
  input_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  Parse();
  return HasResponse() ? Status() : failed_;
}

void HttpResponses::Parse() {
  size_t used = 0;
  while (failed_.ok() && used < input_.size() && !parser_->is_done()) {
    boost::beast::error_code error;
    const size_t n = parser_->put(boost::asio::buffer(input_.data() + used, input_.size() - used), error);
    used += n;
    if (error && error != http::error::need_more) {
      failed_ = ProtocolError("the answer is no HTTP: " + error.message());
      break;
    }
    if (parser_->is_done() && parser_->get().result_int() / 100 == 1)
      parser_ = std::make_unique<Parser>(header_bytes_max_, body_bytes_max_);
    else if (error == http::error::need_more || n == 0) break;
  }
  input_.erase(0, used);
}

void HttpResponses::End() {
  if (!failed_.ok() || parser_->is_done() || !parser_->is_header_done()) return;
  boost::beast::error_code error;
  parser_->put_eof(error);
  if (error) failed_ = ProtocolError("the connection ended within an answer");
}

bool HttpResponses::HasResponse() const { return parser_->is_done(); }

HttpResponse HttpResponses::Take() {
  LS_ASSERT(HasResponse());
  HttpResponse response;
  auto& message = parser_->get();
  response.status = static_cast<int>(message.result_int());
  response.keep_alive = parser_->keep_alive();
  response.body = std::move(message.body());
  parser_ = std::make_unique<Parser>(header_bytes_max_, body_bytes_max_);
  Parse();
  return response;
}

}  // namespace lockstep::wbem
