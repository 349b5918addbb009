#include "wbem/listener_sender.h"

#include <algorithm>
#include <utility>

namespace lockstep::wbem {
namespace {

constexpr size_t kWriteMost = 256 * 1024;  // of several indications in one write
constexpr size_t kOverhead = 128;          // of one in the queue

}  // namespace

ListenerSender::ListenerSender(Surroundings surroundings, ListenerUrl url, std::string context, io::Closure failed)
    : around_(surroundings),
      url_(std::move(url)),
      context_(std::move(context)),
      failed_(std::move(failed)),
      window_limit_(std::max<size_t>(1, surroundings.options.window_max)) {}

ListenerSender::~ListenerSender() {
  around_.loop.Cancel(timer_);
  around_.held.now -= bytes_;
}

void ListenerSender::Send(IndicationText text, std::shared_ptr<const std::string> filter_name) {
  bytes_ += text->size() + kOverhead;
  around_.held.now += text->size() + kOverhead;
  queue_.push_back({std::move(text), std::move(filter_name), next_number_++, failures_});
  MakeRoom();
  AdvanceLater();
}

// What comes together in one turn of the loop goes out together.
void ListenerSender::AdvanceLater() {
  if (std::exchange(scheduled_, true)) return;
  around_.loop.Post([this, weak = std::weak_ptr<bool>(alive_)] {
    if (weak.expired()) return;
    scheduled_ = false;
    Advance();
  });
}

void ListenerSender::Drop(size_t at) {
  const size_t size = queue_[at].text->size() + kOverhead;
  bytes_ -= size;
  around_.held.now -= size;
  queue_.erase(queue_.begin() + static_cast<ptrdiff_t>(at));
}

void ListenerSender::PopFront() {
  Drop(0);
  --sent_;
}

// The oldest ones go first: what is newest says how things are. Those on their way stay, there are few of them.
void ListenerSender::MakeRoom() {
  const DeliveryOptions& options = around_.options;
  while (queue_.size() > sent_ && (queue_.size() > options.queued_max || bytes_ > options.queued_bytes_max ||
                                   around_.held.now > options.all_bytes_max)) {
    Drop(sent_);
    if (counts_.lost++ == 0)
      around_.log.Warn("wbem: {} takes indications too slowly: the oldest are dropped", url_.ToString());
  }
}

void ListenerSender::Advance() {
  if (waiting_ || connecting_) return;
  if (queue_.empty()) {
    if (stream_) SetTimer(Timer::kIdle, around_.options.idle_max);
    return;
  }
  if (!stream_) return Connect();
  if (!writing_ && sent_ < queue_.size() && sent_ < window_) Write();
}

void ListenerSender::Connect() {
  // One that was accepted under another configuration may be out of reach now.
  if (const Status possible = around_.transport.Check(url_); !possible.ok()) return Failed(possible.message());
  connecting_ = true;
  const uint64_t connection = ++connection_;
  SetTimer(Timer::kConnect, around_.options.connect_max);
  around_.transport.Connect(url_, [this, connection, weak = std::weak_ptr<bool>(alive_)](auto stream) {
    if (!weak.expired() && connecting_ && connection == connection_) Connected(std::move(stream));
  });
}

void ListenerSender::Connected(Result<std::unique_ptr<io::Stream>> stream) {
  connecting_ = false;
  SetTimer(Timer::kNone, {});
  if (!stream.ok()) return Failed(stream.status().message());
  stream_ = *std::move(stream);
  responses_ = std::make_unique<HttpResponses>();
  answers_ = 0;
  window_ = 1;
  Read();
  Advance();
}

void ListenerSender::Write() {
  if (sent_ == 0) progress_ = around_.clock.Now();
  output_.clear();
  while (sent_ < queue_.size() && sent_ < window_ && output_.size() < kWriteMost) {
    const Outgoing& next = queue_[sent_];
    AppendExportRequest(output_, url_, *next.text, {*next.filter_name, context_, next.number});
    ++sent_;
  }
  writing_ = true;
  if (timer_kind_ != Timer::kAnswer) SetTimer(Timer::kAnswer, around_.options.answer_max);
  buffer_ = {reinterpret_cast<std::byte*>(output_.data()), output_.size()};
  stream_->Write({&buffer_, 1}, [this](const Status& status) {
    writing_ = false;
    // Why it ended is what reading says: an answer may still be there.
    if (status.ok()) Advance();
  });
}

void ListenerSender::Read() {
  stream_->Read(input_, [this](Result<size_t> n) { OnRead(std::move(n)); });
}

void ListenerSender::OnRead(Result<size_t> n) {
  Status fed;
  const bool ended = !n.ok() || *n == 0;
  if (ended) responses_->End();
  else fed = responses_->Feed(std::span(input_).first(*n));
  TakeAnswers();
  if (!stream_) return Advance();
  if (ended) return ConnectionEnded(n.ok() ? "it closed the connection without an answer" : n.status().message());
  if (!fed.ok()) {
    Disconnect();
    return Failed(fed.message());
  }
  Read();
  Advance();
}

void ListenerSender::TakeAnswers() {
  while (stream_ && responses_->HasResponse())
    if (!Answered(responses_->Take())) return;
}

bool ListenerSender::Answered(HttpResponse response) {
  if (sent_ == 0) {  // to nothing
    Disconnect();
    return false;
  }
  std::string why;
  const ListenerAnswer answer = JudgeAnswer(response, why);
  if (answer == ListenerAnswer::kTryAgain) {
    window_limit_ = 1;  // so that the order is kept
    Disconnect();
    Failed("it answers with " + why);
    return false;
  }
  if (answer == ListenerAnswer::kRefused) {
    ++counts_.refused;
    if (!std::exchange(complained_, true))
      around_.log.Warn("wbem: {} refuses an indication with {}; it is dropped", url_.ToString(), why);
  } else {
    ++counts_.delivered;
  }
  if (std::exchange(failing_since_, std::nullopt))
    around_.log.Info("wbem: indications reach {} again", url_.ToString());
  failures_forgiven_ = failures_;
  progress_ = around_.clock.Now();
  ++answers_;
  PopFront();
  if (!response.keep_alive) {
    if (sent_ > 0) window_limit_ = 1;
    Disconnect();
    return false;
  }
  window_ = std::min(window_limit_, window_ * 2);
  return true;
}

void ListenerSender::Disconnect() {
  stream_.reset();
  responses_.reset();
  sent_ = 0;
  writing_ = false;
  SetTimer(Timer::kNone, {});
}

void ListenerSender::ConnectionEnded(const std::string& why) {
  const size_t unanswered = sent_;
  const bool fresh = answers_ == 0;
  Disconnect();
  if (unanswered > 1) window_limit_ = 1;
  if (unanswered > 0 && fresh) return Failed(why);
  Advance();
}

void ListenerSender::Failed(const std::string& why) {
  ++failures_;
  if (!failing_since_) {
    failing_since_ = around_.clock.Now();
    around_.log.Warn("wbem: indications do not reach {}: {}", url_.ToString(), why);
  }
  while (!queue_.empty() &&
         failures_ - std::max(queue_.front().failures, failures_forgiven_) > around_.options.retry_attempts) {
    Drop(0);
    ++counts_.lost;
  }
  waiting_ = true;
  SetTimer(Timer::kRetry, around_.options.retry_interval);
  failed_();
}

// A timer of the kind that runs already is left alone.
void ListenerSender::SetTimer(Timer kind, io::Duration time) {
  if (kind == timer_kind_) return;
  around_.loop.Cancel(timer_);
  timer_ = io::TimerId::kNone;
  timer_kind_ = kind;
  if (kind != Timer::kNone) timer_ = around_.loop.After(time, [this] { TimedOut(); });
}

void ListenerSender::TimedOut() {
  timer_ = io::TimerId::kNone;
  const Timer kind = std::exchange(timer_kind_, Timer::kNone);
  if (kind == Timer::kRetry) {
    waiting_ = false;
    return Advance();
  }
  if (kind == Timer::kIdle) {
    if (queue_.empty()) return Disconnect();
    return Advance();
  }
  if (kind == Timer::kConnect) {
    connecting_ = false;
    return Failed("it takes no connection");
  }
  // Answers may have come since the timer was set.
  const io::Duration left = around_.options.answer_max - (around_.clock.Now() - progress_);
  if (sent_ > 0 && left > io::Duration(0)) return SetTimer(Timer::kAnswer, left);
  if (sent_ == 0) return Advance();
  // Perhaps it reads one request and throws away what came with it.
  const bool too_many = sent_ > 1 && answers_ > 0;
  Disconnect();
  if (!too_many) return Failed("it does not answer");
  window_limit_ = 1;
  Advance();
}

}  // namespace lockstep::wbem
