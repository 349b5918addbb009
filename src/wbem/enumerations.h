// The enumerations that clients have opened and not read to their end: bounded in number and time. Each holds a series
// that has stopped in the middle, so its memory is that of the provider's own variables.
//
// When there are too many, the client that has most of them loses the one that it has left alone for longest: who opens
// and never closes harms itself.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "io/loop.h"
#include "io/random.h"
#include "wbem/reader.h"

namespace lockstep::wbem {

struct EnumerationLimits {
  uint32_t open_max = 256;
  std::chrono::seconds timeout_default{60};
  std::chrono::seconds timeout_max{600};
  uint32_t objects_max = 100'000;  // of one answer; more are asked for in vain
};

struct Enumeration {
  Enumeration(const Schema& schema, const Reader& reader, SelectionPtr s)
      : selection(std::move(s)), delivery(schema, *selection), series(reader.Read(selection)) {
    Advance();
  }
  void Advance() { next = series.Next(); }

  const SelectionPtr selection;
  Delivery delivery;
  Series<Piece> series;
  Piece* next = nullptr;      // what comes next, in the series; nullptr: the end
  std::chrono::seconds timeout{0};
  bool busy = false;          // being pulled now
};

class Enumerations {
 public:
  // All on `loop`; the references outlive it.
  Enumerations(io::Loop& loop, io::Random& random, EnumerationLimits limits = {});
  ~Enumerations();
  Enumerations(const Enumerations&) = delete;
  Enumerations& operator=(const Enumerations&) = delete;

  const EnumerationLimits& limits() const { return limits_; }
  size_t open() const { return open_.size(); }

  // Keeps it; the text that clients name it by, which cannot be guessed.
  std::string Add(std::unique_ptr<Enumeration> enumeration);
  // nullptr when there is none, or it is somebody else's or of another namespace.
  Enumeration* Find(const std::string& context, const Caller& caller, const std::string& ns);
  // While it is busy its time stands still, and it is not taken away.
  void Begin(const std::string& context);
  void End(const std::string& context);
  void Remove(const std::string& context);
  // Gives all up.
  void Clear();

 private:
  struct Slot {
    std::unique_ptr<Enumeration> enumeration;
    io::TimerId timer = io::TimerId::kNone;
    uint64_t touched = 0;
  };
  void StartTimer(const std::string& context, Slot& slot);
  void MakeRoom();

  io::Loop& loop_;
  io::Random& random_;
  const EnumerationLimits limits_;
  std::map<std::string, Slot> open_;
  uint64_t touches_ = 0;
};

}  // namespace lockstep::wbem
