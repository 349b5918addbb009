// Serves HTTP connections of an io::Network: moves bytes between streams and HttpConnection engines, and keeps clients
// within bounds: how many, how slow, how much is buffered for them.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/log.h"
#include "base/task.h"
#include "io/loop.h"
#include "io/net.h"
#include "io/tls/tls.h"
#include "wbem/http_connection.h"

namespace lockstep::wbem {

struct HttpServerOptions {
  HttpLimits limits;
  uint32_t connections_max = 1024; // beyond it a new one gets 503 and is closed
  uint64_t buffered_bytes_max = 16 * 1024 * 1024;  // of unfinished requests, all connections together: 503 beyond it
  io::Duration idle_max = std::chrono::seconds(120);    // between requests
  io::Duration request_max = std::chrono::seconds(30);  // from a request's first byte to its last
  io::Duration write_max = std::chrono::seconds(30);    // for the client to take the next 256 KiB of a reply
  io::Duration handshake_max = std::chrono::seconds(20);  // TLS: from the connection to the first byte of a request
  bool loopback_only = true;  // Listen without TLS refuses other addresses
};

// What is known of a client before it has said anything.
struct HttpClient {
  std::string peer;               // as io::Stream has it
  bool encrypted = false;
  std::string certificate_name;   // the common name of its verified certificate; empty: it has shown none
};

// The way to a client for a reply too large to be held.
class HttpStream {
 public:
  virtual ~HttpStream() = default;
  // Sends a piece of the body, with status and headers before the first. Ends when the client has taken it, or most of
  // it; `head.body` is then empty and has its memory back. False: nobody reads it any more. Not after the handler has
  // returned, which gives the last piece and the trailers as its reply.
  virtual Task<bool> Send(HttpReply& head) = 0;
  virtual HttpClient client() const { return {}; }
};

// All on `loop`, which is the network's.
class HttpServer {
 public:
  // Makes the reply to a request; `peer` is the client's address. May take as long as it needs: the connection waits,
  // others go on. `stream` stays valid until the task has ended.
  using Handler = std::function<Task<HttpReply>(HttpRequest request, std::string peer, HttpStream& stream)>;

  HttpServer(io::Loop& loop, io::Network& network, Log& log, HttpServerOptions options, Handler handler);
  // REQUIRES: Stop has ended, or Listen has never been called.
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // May be called for several addresses, with TLS when `tls`, which outlives the server, is given. invalid-argument for
  // one without TLS that is not loopback when the options want that. Returns the address that was really taken.
  Result<io::Endpoint> Listen(const io::Endpoint& at, const io::TlsContext* tls = nullptr);
  // Stops listening, drops every connection and ends when the last request that was being handled has been.
  Task<void> Stop();

  size_t connections() const { return connections_.size(); }

 private:
  class Connection;
  void Accept(std::unique_ptr<io::Stream> stream, const io::TlsContext* tls);
  void Forget(uint64_t id);
  void HandlerEnded();

  io::Loop& loop_;
  io::Network& network_;
  Log& log_;
  const HttpServerOptions options_;
  const Handler handler_;
  std::vector<std::unique_ptr<io::Listener>> listeners_;
  std::unordered_map<uint64_t, std::shared_ptr<Connection>> connections_;
  uint64_t next_id_ = 1;
  uint64_t buffered_ = 0;
  size_t handlers_ = 0;  // running, also for connections that are gone
  io::Closure stopped_;
};

}  // namespace lockstep::wbem
