// One connection of the local management protocol: its requests are carried out one after the other and answered in
// their order.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <string>

#include "admin/lines.h"
#include "admin/methods.h"
#include "admin/server.h"

namespace lockstep::admin {

// Kept alive by the server until it is over, and by the task of the method that it runs.
class Session final : public Context, public std::enable_shared_from_this<Session> {
 public:
  // A client that reads slower than it asks gets no progress events beyond this many bytes of backlog.
  static constexpr size_t kEventBacklogMax = 256 * 1024;

  Session(Server& server, std::unique_ptr<io::Stream> stream);

  void Start() { Read(); }
  // How long a client may take to read its last answers when the server stops.
  static constexpr io::Duration kStopGrace = std::chrono::seconds(2);

  // The server stops: no further request, watches end, what runs is answered.
  void Stop();

  void Emit(std::string_view method, Json params) override;
  void OnEnd(std::function<void()> wake) override;
  bool ended() const override { return input_ended_; }

 private:
  // No request comes any more: the client has sent its last, or the server stops. Ends a watch.
  void EndInput();
  void Record(const std::string& method, const Json& params, const Status& status);
  void Read();
  void OnRead(Result<size_t> size);
  // Carries out the requests that have arrived, one after the other.
  Task<void> Work(std::shared_ptr<Session> self);
  void StartWork();
  Task<std::string> Carry(std::string line);
  void Send(std::string bytes);
  void Flush();
  // The connection is of no use any more: nothing is read or sent from here on.
  void Break();
  // Asks the server to forget this session when nothing of it is under way.
  void FinishIfDone();

  Server& server_;
  std::unique_ptr<io::Stream> stream_;
  std::array<std::byte, 16384> buffer_;
  LineSplitter lines_;
  std::function<void()> on_end_;
  std::shared_ptr<const Json> request_id_;  // of the request that runs, for its events
  std::string unsent_;
  std::string sending_;
  io::Buffer sending_buffer_{};
  bool reading_ = false;
  bool writing_ = false;
  bool working_ = false;
  bool input_ended_ = false;  // the client has sent its last, or sent nonsense; answers still go out
  bool stopping_ = false;
  bool broken_ = false;
  bool forgotten_ = false;
};

}  // namespace lockstep::admin
