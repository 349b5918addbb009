#include "bench/load.h"

#include <algorithm>
#include <cstring>

namespace lockstep::bench {

Load::Load(std::span<const std::shared_ptr<block::Volume>> volumes, io::Clock& clock, const Shape& shape, uint64_t seed)
    : volumes_(volumes.begin(), volumes.end()),
      clock_(clock),
      shape_(shape),
      blocks_(volumes.front()->size() / shape.block),
      random_(seed),
      memory_(shape.block * shape.depth),
      slots_(shape.depth) {
  LS_ASSERT(blocks_ > 0);
  // Bytes that nothing on the way can take for a hole or shorten.
  for (size_t i = 0; i + sizeof(uint64_t) <= memory_.size(); i += sizeof(uint64_t)) {
    const uint64_t word = random_();
    std::memcpy(memory_.data() + i, &word, sizeof(word));
  }
  samples_.reserve(1 << 20);
  for (size_t i = 0; i < slots_.size(); ++i) {
    slots_[i].load = this;
    slots_[i].buffer = {memory_.data() + i * shape.block, shape.block};
  }
}

void Load::Start() {
  for (Slot& slot : slots_) Next(slot);
}

void Load::Next(Slot& slot) {
  if (stopping_ || !status_.ok() || issued_ * shape_.block >= shape_.bytes) {
    if (in_flight_ != 0) return;
    if (stopped_) std::exchange(stopped_, nullptr)();
    else if (ended_) std::exchange(ended_, nullptr)();
    return;
  }
  const uint64_t turn = issued_++;
  const uint64_t block = shape_.random ? random_() % blocks_ : turn / volumes_.size() % blocks_;
  block::Request& r = slot.request;
  r.op = shape_.write ? block::Request::Op::kWrite : block::Request::Op::kRead;
  r.offset = block * shape_.block;
  r.length = shape_.block;
  r.buffers = {&slot.buffer, 1};
  r.context = &slot;
  r.done = [](block::Request& request) {
    auto& done = *static_cast<Slot*>(request.context);
    done.load->Done(done);
  };
  r.status = {};
  ++in_flight_;
  slot.begin = clock_.Now();
  slot.volume = volumes_[turn % volumes_.size()].get();
  slot.volume->Submit(r);
}

void Load::Done(Slot& slot) {
  if (shape_.flush && slot.request.op != block::Request::Op::kFlush && slot.request.status.ok()) {
    slot.request.op = block::Request::Op::kFlush;
    slot.request.offset = slot.request.length = 0;
    slot.request.buffers = {};
    return slot.volume->Submit(slot.request);
  }
  --in_flight_;
  samples_.push_back({slot.begin, clock_.Now() - slot.begin});
  if (status_.ok() && !slot.request.status.ok()) status_ = slot.request.status;
  Next(slot);
}

void Load::Stop(io::Closure stopped) {
  stopping_ = true;
  if (in_flight_ == 0) return stopped();
  stopped_ = std::move(stopped);
}

Task<void> Await(io::Loop& loop, Load& load, io::Duration limit) {
  io::TimerId timer = io::TimerId::kNone;
  co_await SuspendWith([&](auto resume) {
    auto shared = std::make_shared<decltype(resume)>(std::move(resume));
    timer = loop.After(limit, [&load, shared] { load.Stop([shared] { (*shared)(); }); });
    load.WhenEnded([shared] { (*shared)(); });
    load.Start();
  });
  loop.Cancel(timer);
}

Latency Summarize(std::vector<Sample> samples) {
  if (samples.empty()) return {};
  std::sort(samples.begin(), samples.end(), [](const Sample& a, const Sample& b) { return a.took < b.took; });
  const auto at = [&](double part) {
    const auto index = static_cast<size_t>(part * static_cast<double>(samples.size() - 1));
    return static_cast<double>(samples[index].took.count()) / 1000;
  };
  return {at(0.5), at(0.99), at(1)};
}

}  // namespace lockstep::bench
