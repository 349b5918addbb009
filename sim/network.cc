#include "sim/network.h"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "base/assert.h"

namespace lockstep::sim {

// One direction of a connection.
struct SimNetwork::Pipe {
  std::vector<std::byte> bytes;  // handed over and not yet read
  bool ended = false;            // the writer has sent its last
  bool unread = false;           // the reader is gone
  bool broken = false;

  std::span<std::byte> read_to;
  io::Stream::ReadDone read_done;
  std::vector<io::Buffer> write_from;
  size_t write_buffer = 0, write_at = 0;  // position in write_from
  io::Stream::WriteDone write_done;
};

struct SimNetwork::Connection {
  Pipe pipes[2];
  bool scheduled[2] = {false, false};
};

class SimNetwork::SimStream final : public io::Stream {
 public:
  struct Side {
    SimNetwork& network;
    std::shared_ptr<Connection> connection;
    int out;  // the pipe that it writes into; it reads from the other
    std::string peer;
  };
  explicit SimStream(Side side) : side_(std::move(side)) {}

  ~SimStream() override {
    Out().ended = true;
    Out().write_done = nullptr;
    In().unread = true;
    In().read_done = nullptr;
    side_.network.Schedule(side_.connection, 0);
    side_.network.Schedule(side_.connection, 1);
  }
  void Read(std::span<std::byte> to, ReadDone done) override {
    LS_ASSERT(!In().read_done && !to.empty());
    In().read_to = to;
    In().read_done = std::move(done);
    side_.network.Schedule(side_.connection, 1 - side_.out);
  }
  void Write(std::span<const io::Buffer> from, WriteDone done) override {
    LS_ASSERT(!Out().write_done);
    Out().write_from.assign(from.begin(), from.end());
    Out().write_buffer = Out().write_at = 0;
    Out().write_done = std::move(done);
    side_.network.Schedule(side_.connection, side_.out);
  }
  void ShutdownWrite() override {
    Out().ended = true;
    side_.network.Schedule(side_.connection, side_.out);
  }
  std::string peer() const override { return side_.peer; }

 private:
  Pipe& Out() { return side_.connection->pipes[side_.out]; }
  Pipe& In() { return side_.connection->pipes[1 - side_.out]; }
  const Side side_;
};

class SimNetwork::SimListener final : public io::Listener {
 public:
  SimListener(SimNetwork& network, io::Endpoint at, Accept accept)
      : accept_(std::move(accept)), network_(network), at_(std::move(at)) {}
  ~SimListener() override { network_.listeners_.erase(at_.ToString()); }
  io::Endpoint endpoint() const override { return at_; }
  Accept accept_;

 private:
  SimNetwork& network_;
  const io::Endpoint at_;
};

SimNetwork::SimNetwork(SimLoop& loop, uint64_t seed) : loop_(loop), random_(seed) {}

SimNetwork::~SimNetwork() {
  LS_ASSERT(listeners_.empty());
  *alive_ = false;
}

Result<std::unique_ptr<io::Listener>> SimNetwork::Listen(const io::Endpoint& at, Accept accept) {
  io::Endpoint taken = at;
  if (taken.kind == io::Endpoint::Kind::kTcp && taken.port == 0) taken.port = next_port_++;
  const std::string name = taken.ToString();
  if (listeners_.count(name) != 0) return InUse(fmt::format("{} is in use by another listener", name));
  auto listener = std::make_unique<SimListener>(*this, taken, std::move(accept));
  listeners_[name] = listener.get();
  return std::unique_ptr<io::Listener>(std::move(listener));
}

void SimNetwork::Connect(const io::Endpoint& to, Connected done) {
  loop_.Post([this, alive = alive_, name = to.ToString(), done = std::move(done)]() mutable {
    if (*alive) Establish(name, std::move(done));
  });
}

void SimNetwork::Establish(const std::string& address, Connected done) {
  const auto it = listeners_.find(address);
  if (!reachable_ || it == listeners_.end())
    return done(Status(Code::kUnavailable, fmt::format("nobody answers at {}", address)));
  auto connection = std::make_shared<Connection>();
  std::erase_if(connections_, [](const std::weak_ptr<Connection>& c) { return c.expired(); });
  connections_.push_back(connection);
  auto served = std::make_unique<SimStream>(SimStream::Side{*this, connection, 0, "sim:client"});
  auto connected = std::make_unique<SimStream>(SimStream::Side{*this, connection, 1, address});
  it->second->accept_(std::move(served));
  done(std::unique_ptr<io::Stream>(std::move(connected)));
}

void SimNetwork::CutAll() {
  for (const std::weak_ptr<Connection>& weak : std::exchange(connections_, {})) {
    const std::shared_ptr<Connection> connection = weak.lock();
    if (connection == nullptr) continue;
    for (int direction : {0, 1}) {
      connection->pipes[direction].broken = true;
      Schedule(connection, direction);
    }
  }
}

void SimNetwork::Schedule(std::shared_ptr<Connection> connection, int direction) {
  if (std::exchange(connection->scheduled[direction], true)) return;
  loop_.Post([this, alive = alive_, connection, direction] {
    if (!*alive) return;
    connection->scheduled[direction] = false;
    Pump(*connection, direction);
    if (!*alive) return;
    const Pipe& pipe = connection->pipes[direction];
    const bool can_take = pipe.write_done && (pipe.bytes.size() < window_ || pipe.unread || pipe.broken);
    const bool can_deliver = pipe.read_done && (!pipe.bytes.empty() || pipe.ended || pipe.broken);
    if (can_take || can_deliver) Schedule(connection, direction);
  });
}

// One callback at most: it may destroy either stream.
void SimNetwork::Pump(Connection& connection, int direction) {
  Pipe& pipe = connection.pipes[direction];
  if (pipe.broken || pipe.unread) pipe.bytes.clear();
  if (pipe.write_done && Take(pipe)) return;
  if (pipe.read_done) Deliver(pipe);
}

bool SimNetwork::Take(Pipe& pipe) {
  if (pipe.broken || pipe.unread) {
    std::exchange(pipe.write_done, nullptr)(Status(Code::kUnavailable, "the connection was reset by its peer"));
    return true;
  }
  const size_t room = window_ - std::min(window_, pipe.bytes.size());
  for (size_t left = room == 0 ? 0 : Piece(room); left > 0 && pipe.write_buffer < pipe.write_from.size();) {
    const io::Buffer& from = pipe.write_from[pipe.write_buffer];
    const size_t n = std::min(left, from.size - pipe.write_at);
    pipe.bytes.insert(pipe.bytes.end(), from.data + pipe.write_at, from.data + pipe.write_at + n);
    left -= n;
    pipe.write_at += n;
    if (pipe.write_at == from.size) {
      ++pipe.write_buffer;
      pipe.write_at = 0;
    }
  }
  if (pipe.write_buffer < pipe.write_from.size()) return false;
  std::exchange(pipe.write_done, nullptr)(Status());
  return true;
}

bool SimNetwork::Deliver(Pipe& pipe) {
  if (pipe.broken) {
    std::exchange(pipe.read_done, nullptr)(Status(Code::kUnavailable, "the connection was reset"));
    return true;
  }
  if (pipe.bytes.empty() && !pipe.ended) return false;
  size_t n = 0;
  if (!pipe.bytes.empty()) {
    n = Piece(std::min(pipe.read_to.size(), pipe.bytes.size()));
    std::copy_n(pipe.bytes.begin(), n, pipe.read_to.begin());
    pipe.bytes.erase(pipe.bytes.begin(), pipe.bytes.begin() + static_cast<ptrdiff_t>(n));
  }
  std::exchange(pipe.read_done, nullptr)(n);
  return true;
}

// How much of `most` bytes moves at once: often all, sometimes a handful, so that every header gets split somewhere.
size_t SimNetwork::Piece(size_t most) {
  switch (random_.Below(4)) {
    case 0: return 1 + random_.Below(std::min<size_t>(most, 16));
    case 1: return 1 + random_.Below(most);
    default: return most;
  }
}

}  // namespace lockstep::sim
