// Delivers indications to one listener, in their order, over a connection that stays open while the listener keeps it.
//
// Nothing waits for it and its memory is bounded: what a listener does not take in time is dropped, oldest first, and
// the listener sees that, because numbers are given when an indication is queued.
//
//  - A connection that ends after it has carried an answer is replaced at once, as often as that happens: listeners may
//    close after every answer. What had been sent and not answered is sent again, so a listener may see a number twice.
//  - A listener that has shown that it keeps connections gets several indications before it has answered the first, in
//    one write. One that then closes gets them one by one from then on.
//  - Anything else (no connection, no answer, an answer that says "not now") is a failure: the next attempt comes after
//    retry_interval, and an indication that has lived through retry_attempts further failures is dropped.
//  - An answer that says that an indication is wrong drops that indication and is no failure.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "base/log.h"
#include "io/clock.h"
#include "io/loop.h"
#include "io/net.h"
#include "wbem/export_message.h"

namespace lockstep::wbem {

struct DeliveryOptions {
  uint32_t retry_attempts = 3;
  io::Duration retry_interval = std::chrono::seconds(30);
  io::Duration connect_max = std::chrono::seconds(10);
  io::Duration answer_max = std::chrono::seconds(30);  // from one answer to the next
  io::Duration idle_max = std::chrono::seconds(60);    // a connection without anything to send
  size_t queued_max = 10'000;                    // indications for one listener
  size_t queued_bytes_max = 40 * 1024 * 1024;    // of them
  size_t all_bytes_max = 64 * 1024 * 1024;       // of all listeners together
  size_t window_max = 64;                        // sent before the first of them is answered
};

// What all listeners hold together.
struct HeldBytes {
  size_t now = 0;
};

struct DeliveryCounts {
  uint64_t delivered = 0;
  uint64_t refused = 0;  // dropped because the listener calls them wrong
  uint64_t lost = 0;     // dropped because it did not take them in time
};

class ListenerSender {
 public:
  // References outlive the sender. `failed` is called after each failure, and may destroy the sender only later.
  struct Surroundings {
    io::Loop& loop;
    io::Clock& clock;
    Log& log;
    ListenerTransport& transport;
    const DeliveryOptions& options;
    HeldBytes& held;
  };
  ListenerSender(Surroundings surroundings, ListenerUrl url, std::string context, io::Closure failed);
  // Drops what is queued.
  ~ListenerSender();
  ListenerSender(const ListenerSender&) = delete;
  ListenerSender& operator=(const ListenerSender&) = delete;

  // Takes it on; never sends within the call.
  void Send(IndicationText text, std::shared_ptr<const std::string> filter_name);

  size_t queued() const { return queue_.size(); }
  const DeliveryCounts& counts() const { return counts_; }
  // Since when nothing has been delivered although there was something to deliver; nothing: all is well.
  std::optional<io::Instant> failing_since() const { return failing_since_; }
  const std::string& context() const { return context_; }

 private:
  struct Outgoing {
    IndicationText text;
    std::shared_ptr<const std::string> filter_name;
    int64_t number = 0;
    uint64_t failures = 0;  // that had happened before
  };
  enum class Timer : uint8_t { kNone, kConnect, kAnswer, kRetry, kIdle };

  void Advance();
  void AdvanceLater();
  void Connect();
  void Connected(Result<std::unique_ptr<io::Stream>> stream);
  void Write();
  void Read();
  void OnRead(Result<size_t> n);
  void TakeAnswers();
  bool Answered(HttpResponse response);  // false: the connection has been given up
  void Disconnect();
  void ConnectionEnded(const std::string& why);
  void Failed(const std::string& why);
  void Drop(size_t at);
  void MakeRoom();
  void PopFront();
  void SetTimer(Timer kind, io::Duration time);
  void TimedOut();

  const Surroundings around_;
  const ListenerUrl url_;
  const std::string context_;
  io::Closure failed_;
  std::deque<Outgoing> queue_;
  size_t sent_ = 0;         // of them, on their way: the first ones
  size_t bytes_ = 0;        // held by queue_
  int64_t next_number_ = 0;
  DeliveryCounts counts_;

  std::unique_ptr<io::Stream> stream_;
  std::unique_ptr<HttpResponses> responses_;
  std::array<std::byte, 16384> input_;
  std::string output_;      // what the stream writes
  io::Buffer buffer_{};
  uint64_t connection_ = 0;  // counts them, so that one that comes too late is known
  uint64_t answers_ = 0;     // on this connection
  size_t window_ = 1;
  size_t window_limit_ = 1;
  bool connecting_ = false, writing_ = false, waiting_ = false, scheduled_ = false;

  uint64_t failures_ = 0, failures_forgiven_ = 0;
  std::optional<io::Instant> failing_since_;
  bool complained_ = false;  // about indications that are refused
  Timer timer_kind_ = Timer::kNone;
  io::TimerId timer_ = io::TimerId::kNone;
  io::Instant progress_{};   // when the last answer came, or the first of a batch was sent
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace lockstep::wbem
