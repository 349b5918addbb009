#include "admin/session.h"

#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace lockstep::admin {

Session::Session(Server& server, std::unique_ptr<io::Stream> stream)
    : Context(server.surroundings_.control, server.surroundings_.loop, server.facts_),
      server_(server),
      stream_(std::move(stream)) {
  users = server.surroundings_.users;
}

void Session::Stop() {
  stopping_ = true;
  EndInput();
  loop.After(kStopGrace, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->Break();
  });
  FinishIfDone();
}

void Session::EndInput() {
  input_ended_ = true;
  if (auto wake = std::exchange(on_end_, nullptr)) wake();
}

void Session::Emit(std::string_view method, Json params) {
  if (broken_ || unsent_.size() > kEventBacklogMax) return;
  Json event = Json::object();
  event["request"] = request_id_ ? *request_id_ : Json(nullptr);
  event["job"] = std::move(params);
  Send(EventLine(method, event));
}

void Session::OnEnd(std::function<void()> wake) {
  on_end_ = std::move(wake);
  if (on_end_ && ended()) std::exchange(on_end_, nullptr)();
}

void Session::Read() {
  if (reading_ || input_ended_ || broken_ || lines_.Full()) return;
  reading_ = true;
  stream_->Read(buffer_, [this](Result<size_t> size) { OnRead(std::move(size)); });
}

void Session::OnRead(Result<size_t> size) {
  reading_ = false;
  if (!size.ok()) return Break();
  if (*size == 0) EndInput();
  const Status fed = lines_.Feed(std::span(buffer_).first(*size));
  if (!fed.ok() && !input_ended_) {
    EndInput();
    Send(ErrorLine(nullptr, fed));
  }
  StartWork();
  Read();
  FinishIfDone();
}

void Session::StartWork() {
  if (!working_ && !broken_) Spawn(Work(shared_from_this()));
}

// `self` keeps the session alive while a method runs, whatever becomes of the connection.
Task<void> Session::Work([[maybe_unused]] std::shared_ptr<Session> self) {
  working_ = true;
  while (!broken_ && !stopping_) {
    std::optional<std::string> line = lines_.Next();
    if (!line) break;
    std::string answer = co_await Carry(*std::move(line));
    Send(std::move(answer));
    Read();
  }
  working_ = false;
  FinishIfDone();
}

Task<std::string> Session::Carry(std::string line) {
  ParsedRequest parsed = ParseRequest(line);
  if (parsed.malformed) co_return MalformedLine(*parsed.malformed);
  const std::unique_ptr<Request> request = std::move(parsed.request);
  const Method* method = FindMethod(request->method);
  if (method == nullptr) {
    Malformed unknown{-32601, fmt::format("there is no method \"{}\"; node.methods lists them", request->method),
                      request->id};
    co_return MalformedLine(unknown);
  }
  request_id_ = request->id;
  const Result<Json> result = co_await method->run(*this, request->params);
  request_id_ = nullptr;
  Record(request->method, *request->params, result.status());
  if (!result.ok()) {
    server_.surroundings_.log.Info("admin: {}: {}", request->method, result.status().ToString());
    co_return ErrorLine(*request->id, result.status());
  }
  co_return ResultLine(*request->id, *result);
}

void Session::Record(const std::string& method, const Json& params, const Status& status) {
  access::AuditLog* const audit = server_.surroundings_.audit;
  if (audit == nullptr || OnlyReads(method)) return;
  Json shown = params;
  if (shown.contains("password")) shown["password"] = "(not shown)";
  const std::string text = shown.dump(-1, ' ', false, Json::error_handler_t::replace);
  audit->Record({"(local)", "administrator", stream_ ? stream_->peer() : "unix", method + " " + text,
                 status.ok() ? "ok" : status.ToString()});
}

void Session::Send(std::string bytes) {
  if (broken_) return;
  unsent_ += bytes;
  Flush();
}

void Session::Flush() {
  if (writing_ || broken_ || unsent_.empty()) return;
  writing_ = true;
  sending_ = std::exchange(unsent_, {});
  sending_buffer_ = {reinterpret_cast<std::byte*>(sending_.data()), sending_.size()};
  stream_->Write(std::span(&sending_buffer_, 1), [this](Status status) {
    writing_ = false;
    if (!status.ok()) return Break();
    Flush();
    FinishIfDone();
  });
}

void Session::Break() {
  broken_ = true;
  unsent_.clear();
  EndInput();
  FinishIfDone();
}

void Session::FinishIfDone() {
  if (working_ || forgotten_) return;
  const bool answered = input_ended_ && !writing_ && unsent_.empty();
  if (!broken_ && !answered) return;
  forgotten_ = true;
  // Later, because this may run inside a callback of the stream that goes with the session.
  loop.Post([self = shared_from_this()] {
    self->stream_.reset();
    self->server_.Forget(self.get());
  });
}

}  // namespace lockstep::admin
