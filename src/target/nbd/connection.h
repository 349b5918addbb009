// One client's connection: carries bytes between a stream, the protocol engines and a volume.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/log.h"
#include "block/align.h"
#include "io/loop.h"
#include "io/net.h"
#include "target/nbd/handshake.h"
#include "target/nbd/operation.h"
#include "target/nbd/transmission.h"

namespace lockstep::nbd {

struct Limits {
  io::Duration handshake_timeout = std::chrono::seconds(30);  // from accept to the choice of an export
  io::Duration drain_timeout = std::chrono::seconds(5);       // for replies to a client that does not read them
  uint32_t requests_in_flight = 256;     // of one connection; more stay unread in its socket
  uint64_t bytes_in_flight = 64u << 20;  // of one connection, likewise; may be exceeded by one request
  size_t connections = 4096;             // of the server; further ones are closed at once
  size_t receive_buffer = 256u << 10;    // of one connection; at least 64 KiB
  size_t kept_buffers = 128u << 20;      // bytes of request memory that the server keeps for reuse
};

// What a connection needs of its server.
class ConnectionHost : public ExportDirectory {
 public:
  virtual io::Loop& loop() = 0;
  virtual Log& log() = 0;
  virtual const Limits& limits() const = 0;
  virtual OperationPool& operations() = 0;
  // The volume behind an export, shared by all connections to it.
  virtual Result<std::shared_ptr<block::AlignedVolume>> Open(const std::string& export_name) = 0;
  // The connection uses an export from now on.
  virtual void Entered(Connection& connection) = 0;
  // The connection has ended: nothing of it is in flight any more. Its last call.
  virtual void Closed(Connection& connection) = 0;
};

// One owner loop, the host's.
//
// Life: Start; handshake; requests; then Drain, by the client's goodbye or fault, by a timeout or by the server: no
// more is read, what was submitted to the volume is waited for, replies are sent if the client takes them; then
// ConnectionHost::Closed.
class Connection final : public std::enable_shared_from_this<Connection> {
 public:
  Connection(ConnectionHost& host, std::unique_ptr<io::Stream> stream);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void Start();
  // Ends the connection as above; `reason` is for the log, empty for a usual end. More than once is harmless.
  void Drain(std::string reason);
  // The server is going without waiting (a crash in simulation): drops everything; calls nothing afterwards.
  void Abandon();

  // The export that it uses; empty before the handshake has ended.
  const std::string& export_name() const { return export_name_; }
  const std::string& peer() const { return peer_; }

 private:
  enum class State : uint8_t { kHandshake, kOpen, kDraining, kClosed };

  bool AtLimit() const;
  void ReadMore();
  std::span<std::byte> ReadTarget();
  void OnRead(Result<size_t> result);
  std::span<const std::byte> Unread() const { return {in_.get() + begin_, end_ - begin_}; }

  void ProcessHandshake();
  void OnHandshakeWritten(Status status);
  void EnterTransmission();

  void ProcessRequests();
  bool ProcessOne();
  bool TakePayload();
  void Begin(const RequestHeader& header);
  void SubmitToVolume(Operation& operation);
  void SubmitBlockStatus(Operation& operation);
  void OnVolumeDone(Operation& operation, const Status& status);
  void OnBlockStatus(Operation& operation, Result<std::vector<block::Extent>> extents);

  void MakeReply(Operation& operation);
  void QueueReply(Operation& operation);
  void SendReplies();
  void Gather(Operation& operation);
  void OnRepliesWritten(Status status);

  void Release(Operation& operation);
  void MaybeFinish();
  void CloseStream();
  void OnStreamClosed();

  ConnectionHost* host_;  // null once ended or abandoned
  std::unique_ptr<io::Stream> stream_;  // null from CloseStream on
  bool stream_closed_ = false;          // ... and now really
  const std::string peer_;
  State state_ = State::kHandshake;
  Handshake handshake_;
  std::optional<Transmission> transmission_;
  std::shared_ptr<block::AlignedVolume> volume_;
  std::string export_name_;
  io::TimerId timer_ = io::TimerId::kNone;  // the handshake's, later the drain's

  // Received and not used yet: [begin_, end_) of in_.
  std::unique_ptr<std::byte[]> in_;
  size_t begin_ = 0;
  size_t end_ = 0;
  Operation* receiving_ = nullptr;  // the write whose payload is coming in
  bool reading_ = false;            // a Read is outstanding
  bool reading_payload_ = false;    // ... into receiving_ itself

  uint32_t in_flight_ = 0;  // operations from their header until their reply is handed over
  uint64_t bytes_in_flight_ = 0;
  uint32_t in_volume_ = 0;  // of these, how many the volume has

  std::string handshake_output_;
  OperationQueue replies_;
  OperationQueue sending_;
  std::vector<std::byte> reply_headers_;
  size_t reply_headers_used_ = 0;
  std::vector<io::Buffer> gathered_;
  bool writing_ = false;
  bool send_scheduled_ = false;
};

}  // namespace lockstep::nbd
