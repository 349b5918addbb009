#include "wbem/listener_tls.h"

#include <utility>

#include "base/assert.h"

namespace lockstep::wbem {

namespace {

constexpr size_t kMostContexts = 64;  // each holds the authorities; beyond that, all are made anew when they are needed

ListenerUrl Unencrypted(ListenerUrl url) {
  url.encrypted = false;
  return url;
}

}  // namespace

Status TlsTransport::Trust(std::string authorities, io::KeyPair identity) {
  if (!authorities.empty()) LS_RETURN_IF_ERROR(io::TlsContext::ForClient({authorities, "listener", identity}).status());
  authorities_ = std::move(authorities);
  identity_ = std::move(identity);
  contexts_.clear();
  return {};
}

Status TlsTransport::Check(const ListenerUrl& url) const {
  if (url.encrypted && authorities_.empty()) {
    return NotSupported("no certificate of a listener is trusted here: name those that are with listener_ca in "
                        "[cim], or give a destination that begins with http://");
  }
  return plain_.Check(Unencrypted(url));
}

Result<std::shared_ptr<const io::TlsContext>> TlsTransport::ContextFor(const std::string& host) {
  LS_ASSERT(!authorities_.empty());  // without, everybody would be trusted
  if (const auto there = contexts_.find(host); there != contexts_.end()) return there->second;
  LS_ASSIGN_OR_RETURN(std::shared_ptr<const io::TlsContext> made,
                      io::TlsContext::ForClient({authorities_, host, identity_}));
  if (contexts_.size() >= kMostContexts) contexts_.clear();
  return contexts_[host] = std::move(made);
}

void TlsTransport::Connect(const ListenerUrl& url, io::Network::Connected done) {
  if (!url.encrypted) return plain_.Connect(url, std::move(done));
  Result<std::shared_ptr<const io::TlsContext>> context = ContextFor(url.host);
  if (!context.ok()) {
    loop_.Post([done = std::move(done), why = context.status()]() mutable { done(why); });
    return;
  }
  auto wrap = [&loop = loop_, context = *std::move(context),
               done = std::move(done)](Result<std::unique_ptr<io::Stream>> stream) mutable {
    if (!stream.ok()) return done(std::move(stream));
    done(std::unique_ptr<io::Stream>(context->Wrap(loop, *std::move(stream))));
  };
  plain_.Connect(Unencrypted(url), std::move(wrap));
}

}  // namespace lockstep::wbem
