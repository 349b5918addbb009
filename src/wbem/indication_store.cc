#include "wbem/indication_store.h"

#include <charconv>
#include <span>

#include <fmt/format.h>

#include "base/checksum.h"
#include "wbem/cimxml_objects.h"
#include "wbem/cimxml_values.h"

namespace lockstep::wbem {
namespace {

constexpr std::string_view kMagic = "lockstep-indications ";
constexpr int kVersion = 1;

Status Damaged(std::string_view what) {
  return Corrupted(fmt::format("the list of subscriptions is damaged: {}", what));
}

// Takes the characters up to `end` off the text; nothing when there is no `end`.
std::optional<std::string_view> TakeUpTo(std::string_view& text, char end) {
  const size_t at = text.find(end);
  if (at == text.npos) return std::nullopt;
  const std::string_view taken = text.substr(0, at);
  text.remove_prefix(at + 1);
  return taken;
}

template <typename T>
std::optional<T> NumberIn(std::optional<std::string_view> text, int base = 10) {
  if (!text || text->empty()) return std::nullopt;
  T number = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number, base);
  if (error != std::errc() || end != text->data() + text->size()) return std::nullopt;
  return number;
}

}  // namespace

std::string EncodeStored(const std::vector<StoredInstance>& all) {
  std::string body;
  for (const StoredInstance& one : all) {
    std::string xml;
    AppendInstance(xml, one.instance);
    fmt::format_to(std::back_inserter(body), "{} {}\n", xml.size(), one.ns);
    body += xml;
    body += '\n';
  }
  const uint32_t sum = Crc32c(std::as_bytes(std::span(body)));
  return fmt::format("{}{} {:08x}\n{}", kMagic, kVersion, sum, body);
}

Result<std::vector<StoredInstance>> DecodeStored(std::string_view text) {
  if (!text.starts_with(kMagic)) return Damaged("it does not begin as one");
  text.remove_prefix(kMagic.size());
  const auto version = NumberIn<int>(TakeUpTo(text, ' '));
  if (!version) return Damaged("it has no version");
  if (*version != kVersion) return NotSupported(fmt::format("the list of subscriptions is of version {}", *version));
  const auto sum = NumberIn<uint32_t>(TakeUpTo(text, '\n'), 16);
  if (!sum || *sum != Crc32c(std::as_bytes(std::span(text)))) return Damaged("its checksum is wrong");
  std::vector<StoredInstance> all;
  while (!text.empty()) {
    const auto size = NumberIn<size_t>(TakeUpTo(text, ' '));
    const auto ns = TakeUpTo(text, '\n');
    if (!size || !ns || text.size() <= *size || text[*size] != '\n') return Damaged("an entry is cut off");
    Result<Instance> instance = ParseXmlInstance(text.substr(0, *size));
    if (!instance.ok()) return Damaged(instance.status().message());
    all.push_back({std::string(*ns), *std::move(instance)});
    text.remove_prefix(*size + 1);
  }
  return all;
}

}  // namespace lockstep::wbem
