// For an object whose callbacks may destroy it: lets the code that made the call find out.
#pragma once

namespace lockstep::io {

// A member of the object.
class Destruction {
 public:
  Destruction() = default;
  Destruction(const Destruction&) = delete;
  ~Destruction();

  // On the stack around a callback; not nested.
  class Watch {
   public:
    explicit Watch(Destruction& destruction);
    Watch(const Watch&) = delete;
    ~Watch();
    bool happened() const { return happened_; }

   private:
    friend class Destruction;
    Destruction& destruction_;  // not to be touched once it has happened
    bool happened_ = false;
  };

 private:
  Watch* watch_ = nullptr;
};

}  // namespace lockstep::io
