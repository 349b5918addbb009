// Streams inside one process. Bytes arrive in order and in pieces of any size, as TCP delivers them; connections can be
// cut and addresses made unreachable.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "io/net.h"
#include "sim/loop.h"
#include "sim/random.h"

namespace lockstep::sim {

class SimNetwork final : public io::Network {
 public:
  SimNetwork(SimLoop& loop, uint64_t seed);
  ~SimNetwork() override;
  SimNetwork(const SimNetwork&) = delete;

  // A listener must be destroyed before the network.
  Result<std::unique_ptr<io::Listener>> Listen(const io::Endpoint& at, Accept accept) override;
  void Connect(const io::Endpoint& to, Connected done) override;

  // Resets every connection: what is outstanding on them, and all that follows, ends with "unavailable".
  void CutAll();
  // While unreachable, new connections are refused.
  void set_reachable(bool reachable) { reachable_ = reachable; }
  // Bytes that a stream takes without its peer reading them.
  void set_window(size_t bytes) { window_ = bytes; }

 private:
  class SimStream;
  class SimListener;
  struct Pipe;
  struct Connection;

  void Establish(const std::string& address, Connected done);
  void Schedule(std::shared_ptr<Connection> connection, int direction);
  void Pump(Connection& connection, int direction);
  bool Take(Pipe& pipe);
  bool Deliver(Pipe& pipe);
  size_t Piece(size_t most);

  SimLoop& loop_;
  SimRandom random_;
  std::map<std::string, SimListener*> listeners_;
  std::vector<std::weak_ptr<Connection>> connections_;
  bool reachable_ = true;
  size_t window_ = 256 * 1024;
  uint16_t next_port_ = 40000;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace lockstep::sim
