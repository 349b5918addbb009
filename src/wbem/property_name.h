// The name of a property, a key or a parameter as values carry it. One that a program has in its text is not copied, or
// an instance of forty properties would make forty strings; one that came over the wire is owned.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>

namespace lockstep::wbem {

class PropertyName {
 public:
  PropertyName() = default;
  // A literal: as it is, for ever.
  template <size_t N>
  consteval PropertyName(const char (&literal)[N]) : text_(literal), size_(N - 1) {}
  PropertyName(const std::string& name) : PropertyName(Copy(name)) {}
  template <typename T>
    requires(std::same_as<T, const char*> || std::same_as<T, std::string_view>)
  PropertyName(const T& name) : PropertyName(Copy(name)) {}

  PropertyName(const PropertyName& other) : text_(other.text_), size_(other.size_) {
    if (other.owned_) *this = Copy(other);
  }
  PropertyName(PropertyName&& other) noexcept
      : text_(std::exchange(other.text_, "")), size_(std::exchange(other.size_, 0)), owned_(std::move(other.owned_)) {}
  PropertyName& operator=(const PropertyName& other) {
    if (this != &other) *this = PropertyName(other);
    return *this;
  }
  PropertyName& operator=(PropertyName&& other) noexcept {
    text_ = std::exchange(other.text_, "");
    size_ = std::exchange(other.size_, 0);
    owned_ = std::move(other.owned_);
    return *this;
  }

  operator std::string_view() const { return {text_, size_}; }
  std::string_view view() const { return {text_, size_}; }
  std::string str() const { return std::string(view()); }
  bool empty() const { return size_ == 0; }
  // By every byte; NameEquals compares as CIM does.
  template <typename T>
    requires std::convertible_to<const T&, std::string_view>
  friend bool operator==(const PropertyName& a, const T& b) {
    return a.view() == std::string_view(b);
  }

 private:
  static PropertyName Copy(std::string_view name) {
    PropertyName copy;
    copy.owned_ = std::make_unique_for_overwrite<char[]>(name.size());
    std::memcpy(copy.owned_.get(), name.data(), name.size());
    copy.text_ = copy.owned_.get();
    copy.size_ = static_cast<uint32_t>(name.size());
    return copy;
  }

  const char* text_ = "";
  uint32_t size_ = 0;
  std::unique_ptr<char[]> owned_;  // null: the text is the program's
};

}  // namespace lockstep::wbem

template <>
struct fmt::formatter<lockstep::wbem::PropertyName> : fmt::formatter<std::string_view> {
  template <typename Context>
  auto format(const lockstep::wbem::PropertyName& name, Context& context) const {
    return fmt::formatter<std::string_view>::format(name.view(), context);
  }
};
