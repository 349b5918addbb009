// Where a listener of indications is: the Destination of a CIM_ListenerDestinationCIMXML, and the way there.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"
#include "io/net.h"
#include "io/resolver.h"

namespace lockstep::wbem {

struct ListenerUrl {
  bool encrypted = false;  // https
  std::string host;        // a name or a numeric address; an IPv6 one without brackets
  uint16_t port = 0;
  std::string path = "/";  // with query, if there is one

  // "http://host[:port][/path]", https likewise; 5988 and 5989 where no port is given. invalid-argument otherwise.
  static Result<ListenerUrl> Parse(std::string_view text);
  // What stands in the header Host.
  std::string Authority() const;
  std::string ToString() const;
};

// Makes connections to listeners. One loop; callbacks run on it, never inside the call.
class ListenerTransport {
 public:
  virtual ~ListenerTransport() = default;
  // Whether listeners of this kind can be reached at all; not-supported with what to do instead.
  virtual Status Check(const ListenerUrl& url) const = 0;
  // REQUIRES: Check says OK.
  virtual void Connect(const ListenerUrl& url, io::Network::Connected done) = 0;
};

// HTTP over an io::Network. Names of hosts are looked up by `resolver`; without one, only numeric addresses and
// "localhost" are known. HTTPS is refused: TlsTransport adds it.
class PlainTransport final : public ListenerTransport {
 public:
  // Both outlive the transport.
  explicit PlainTransport(io::Network& network, io::Resolver* resolver = nullptr)
      : network_(network), resolver_(resolver) {}
  Status Check(const ListenerUrl& url) const override;
  void Connect(const ListenerUrl& url, io::Network::Connected done) override;

 private:
  io::Network& network_;
  io::Resolver* const resolver_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace lockstep::wbem
