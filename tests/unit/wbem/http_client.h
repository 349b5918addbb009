// A client that sends text and keeps what comes back.
#pragma once

#include <array>
#include <memory>
#include <string>

#include "io/net.h"

namespace lockstep::wbem {

struct HttpTestClient {
  std::unique_ptr<io::Stream> stream;
  std::array<std::byte, 4096> buffer;
  std::string received, sending;
  io::Buffer out{};
  bool ended = false;

  // One at a time.
  void Send(std::string text) {
    sending = std::move(text);
    out = {reinterpret_cast<std::byte*>(sending.data()), sending.size()};
    stream->Write({&out, 1}, [](const Status&) {});
  }
  // Goes on reading until the end.
  void Read() {
    stream->Read(buffer, [this](Result<size_t> n) {
      if (!n.ok() || *n == 0) {
        ended = true;
        return;
      }
      received.append(reinterpret_cast<const char*>(buffer.data()), *n);
      Read();
    });
  }
};

}  // namespace lockstep::wbem
