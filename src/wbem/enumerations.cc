#include "wbem/enumerations.h"

namespace lockstep::wbem {

Enumerations::Enumerations(io::Loop& loop, io::Random& random, EnumerationLimits limits)
    : loop_(loop), random_(random), limits_(limits) {}

Enumerations::~Enumerations() { Clear(); }

std::string Enumerations::Add(std::unique_ptr<Enumeration> enumeration) {
  if (open_.size() >= limits_.open_max) MakeRoom();
  std::string context = random_.NextUuid().ToString();
  Slot& slot = open_[context];
  slot.enumeration = std::move(enumeration);
  StartTimer(context, slot);
  return context;
}

Enumeration* Enumerations::Find(const std::string& context, const Caller& caller, const std::string& ns) {
  const auto it = open_.find(context);
  if (it == open_.end()) return nullptr;
  const Selection& selection = *it->second.enumeration->selection;
  if (selection.caller.user != caller.user || !NameEquals(selection.request.ns, ns)) return nullptr;
  return it->second.enumeration.get();
}

void Enumerations::Begin(const std::string& context) {
  const auto it = open_.find(context);
  if (it == open_.end()) return;
  it->second.enumeration->busy = true;
  loop_.Cancel(std::exchange(it->second.timer, io::TimerId::kNone));
}

void Enumerations::End(const std::string& context) {
  const auto it = open_.find(context);
  if (it == open_.end()) return;
  it->second.enumeration->busy = false;
  StartTimer(context, it->second);
}

void Enumerations::Remove(const std::string& context) {
  const auto it = open_.find(context);
  if (it == open_.end()) return;
  loop_.Cancel(it->second.timer);
  open_.erase(it);
}

void Enumerations::Clear() {
  while (!open_.empty()) Remove(std::string(open_.begin()->first));
}

void Enumerations::StartTimer(const std::string& context, Slot& slot) {
  slot.touched = ++touches_;
  slot.timer = loop_.After(slot.enumeration->timeout, [this, context] { Remove(std::string(context)); });
}

void Enumerations::MakeRoom() {
  // Linear: it happens to those who overdo it, and the number is bounded.
  std::map<std::string, size_t> by_peer;
  for (const auto& [context, slot] : open_)
    if (!slot.enumeration->busy) ++by_peer[slot.enumeration->selection->caller.peer];
  const std::string* greedy = nullptr;
  size_t most = 0;
  for (const auto& [peer, count] : by_peer)
    if (count > most) {
      most = count;
      greedy = &peer;
    }
  if (!greedy) return;  // all are busy, which the number of connections bounds
  const std::string* oldest = nullptr;
  uint64_t touched = UINT64_MAX;
  for (const auto& [context, slot] : open_)
    if (!slot.enumeration->busy && slot.enumeration->selection->caller.peer == *greedy && slot.touched < touched) {
      touched = slot.touched;
      oldest = &context;
    }
  Remove(std::string(*oldest));
}

}  // namespace lockstep::wbem
