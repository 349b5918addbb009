// Listeners that are reached over HTTPS.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "io/loop.h"
#include "io/tls/tls.h"
#include "wbem/listener_url.h"

namespace lockstep::wbem {

// HTTPS over another transport, which it also hands what is not encrypted. A listener shows a certificate for the host
// of its URL that leads to one of `authorities`; connections to any other end with "protocol".
class TlsTransport final : public ListenerTransport {
 public:
  // Both outlive the transport, and the loop its connections.
  TlsTransport(io::Loop& loop, ListenerTransport& plain) : loop_(loop), plain_(plain) {}
  // Certificates (PEM); a listener's own, if nobody has signed it, may be one of them. With none, as before the
  // first call, Check refuses HTTPS. `identity` is shown to listeners that ask who we are; empty: nothing is.
  // invalid-argument when a text is no PEM: what was given before is kept.
  Status Trust(std::string authorities, io::KeyPair identity = {});

  Status Check(const ListenerUrl& url) const override;
  void Connect(const ListenerUrl& url, io::Network::Connected done) override;

 private:
  Result<std::shared_ptr<const io::TlsContext>> ContextFor(const std::string& host);

  io::Loop& loop_;
  ListenerTransport& plain_;
  std::string authorities_;
  io::KeyPair identity_;
  std::map<std::string, std::shared_ptr<const io::TlsContext>> contexts_;  // by host: who is expected there
};

}  // namespace lockstep::wbem
