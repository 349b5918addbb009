// Byte order, once. Writers append to a string; readers walk a span and turn bad after the first read beyond its end,
// so that a parser checks ok() once and no field twice.
#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

namespace lockstep {

template <std::unsigned_integral T>
constexpr T ToLittle(T v) {
  static_assert(std::endian::native == std::endian::little, "the on-disk codecs assume a little-endian machine");
  return v;
}
template <std::unsigned_integral T>
constexpr T ToBig(T v) {
  if constexpr (sizeof(T) == 1)
    return v;
  else if constexpr (sizeof(T) == 2)
    return __builtin_bswap16(v);
  else if constexpr (sizeof(T) == 4)
    return __builtin_bswap32(v);
  else
    return __builtin_bswap64(v);
}

// Appends integers, fixed-width but for Varint, to `out`, which it does not own.
class Encoder {
 public:
  explicit Encoder(std::string& out) : out_(out) {}
  template <std::unsigned_integral T>
  Encoder& Little(T v) {
    return Raw(&v, sizeof v);
  }
  template <std::unsigned_integral T>
  Encoder& Big(T v) {
    v = ToBig(v);
    return Raw(&v, sizeof v);
  }
  // Seven bits a byte, the least first; the high bit says that more follow (LEB128): short for what is mostly small.
  Encoder& Varint(uint64_t v) {
    for (; v >= 0x80; v >>= 7) Little(static_cast<uint8_t>(v | 0x80));
    return Little(static_cast<uint8_t>(v));
  }
  Encoder& Bytes(std::span<const uint8_t> b) { return Raw(b.data(), b.size()); }
  // A 32-bit little-endian length, then the bytes.
  Encoder& String(std::string_view s) {
    Little(static_cast<uint32_t>(s.size()));
    return Raw(s.data(), s.size());
  }

 private:
  Encoder& Raw(const void* p, size_t n) {
    out_.append(static_cast<const char*>(p), n);
    return *this;
  }
  std::string& out_;
};

// Reads from bytes that it does not own. After a short read every value is zero or empty and ok() is false.
class Decoder {
 public:
  explicit Decoder(std::span<const std::byte> in) : in_(in) {}
  explicit Decoder(std::string_view in) : in_(std::as_bytes(std::span(in.data(), in.size()))) {}

  bool ok() const { return ok_; }
  size_t remaining() const { return in_.size(); }

  template <std::unsigned_integral T>
  T Little() {
    T v{};
    Take(&v, sizeof v);
    return v;
  }
  template <std::unsigned_integral T>
  T Big() {
    return ToBig(Little<T>());
  }
  // Not ok when it has more than 64 bits.
  uint64_t Varint() {
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      const auto byte = Little<uint8_t>();
      const uint64_t bits = byte & 0x7f;
      if (shift == 63 && bits > 1) break;
      v |= bits << shift;
      if (byte < 0x80) return ok_ ? v : 0;
    }
    ok_ = false;
    in_ = {};
    return 0;
  }
  void Bytes(std::span<uint8_t> to) { Take(to.data(), to.size()); }
  // Refuses lengths beyond `limit` before looking at the bytes.
  std::string String(size_t limit) {
    const uint32_t n = Little<uint32_t>();
    if (n > limit || n > in_.size()) {
      ok_ = false;
      in_ = {};
      return {};
    }
    std::string s(n, '\0');
    Take(s.data(), n);
    return s;
  }
  // The next n bytes without copying; empty and not ok when fewer remain.
  std::span<const std::byte> View(size_t n) {
    if (n > in_.size()) {
      ok_ = false;
      in_ = {};
      return {};
    }
    const auto v = in_.first(n);
    in_ = in_.subspan(n);
    return v;
  }

 private:
  void Take(void* to, size_t n) {
    if (n == 0) return;  // then `to` may be null
    if (n > in_.size()) {
      ok_ = false;
      in_ = {};
      std::memset(to, 0, n);
      return;
    }
    std::memcpy(to, in_.data(), n);
    in_ = in_.subspan(n);
  }
  std::span<const std::byte> in_;
  bool ok_ = true;
};

}  // namespace lockstep
