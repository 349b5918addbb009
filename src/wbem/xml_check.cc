#include "wbem/xml_check.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <string>

#include <fmt/format.h>

namespace lockstep::wbem {
namespace {

constexpr bool IsBlank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

// A character that XML 1.0 allows (production Char).
bool IsXmlChar(uint32_t c) {
  return c == 9 || c == 10 || c == 13 || (c >= 0x20 && c <= 0xd7ff) || (c >= 0xe000 && c <= 0xfffd) ||
         (c >= 0x10000 && c <= 0x10ffff);
}

class Checker {
 public:
  Checker(std::string_view text, const XmlLimits& limits) : text_(text), limits_(limits) {}

  Status Run() {
    if (text_.starts_with("\xef\xbb\xbf")) at_ = 3;
    while (at_ < text_.size()) LS_RETURN_IF_ERROR(text_[at_] == '<' ? Markup() : Content());
    if (depth_ != 0 || roots_ != 1) return Wrong("one complete element is expected");
    return {};
  }

 private:
  Status Wrong(std::string_view what) const {
    return InvalidArgument(fmt::format("the XML is not well formed at byte {}: {}", at_, what));
  }
  Status TooLarge(std::string_view what) const {
    return {Code::kTooLarge, fmt::format("the XML has {}; that is refused", what)};
  }

  // The reference at text_[i], which is '&'; moves i behind it.
  Status Reference(size_t& i, size_t end) const {
    const size_t semicolon = text_.substr(i, std::min<size_t>(end - i, 12)).find(';');
    if (semicolon == text_.npos) return Wrong("'&' stands alone");
    std::string_view name = text_.substr(i + 1, semicolon - 1);
    i += semicolon + 1;
    if (name == "amp" || name == "lt" || name == "gt" || name == "quot" || name == "apos") return {};
    if (!name.starts_with('#')) return Wrong("an entity other than the five of XML itself");
    name.remove_prefix(1);
    const bool hex = name.starts_with('x');
    if (hex) name.remove_prefix(1);
    uint32_t code = 0;
    const auto [stop, error] = std::from_chars(name.data(), name.data() + name.size(), code, hex ? 16 : 10);
    if (name.empty() || error != std::errc() || stop != name.data() + name.size() || !IsXmlChar(code))
      return Wrong("a character reference that means no character");
    return {};
  }

  Status CharacterData(size_t from, size_t end) {
    for (size_t i = from; i < end;) {
      const unsigned char c = static_cast<unsigned char>(text_[i]);
      if (c == '&') LS_RETURN_IF_ERROR(Reference(i, end));
      else if (c == '<') return Wrong("'<' within an attribute");
      else if (c < 0x20 && !IsBlank(text_[i])) return Wrong("a control character");
      else ++i;
    }
    return {};
  }

  Status Content() {
    const size_t end = std::min(text_.find('<', at_), text_.size());
    if (depth_ == 0) {
      const std::string_view between = text_.substr(at_, end - at_);
      if (!std::all_of(between.begin(), between.end(), IsBlank))
        return Wrong("text outside of any element");
    } else {
      LS_RETURN_IF_ERROR(CharacterData(at_, end));
    }
    at_ = end;
    return {};
  }

  Status SkipTo(std::string_view open, std::string_view close) {
    const size_t end = text_.find(close, at_ + open.size());
    if (end == text_.npos) return Wrong(fmt::format("'{}' does not end", open));
    at_ = end + close.size();
    return {};
  }

  Status Markup() {
    const std::string_view rest = text_.substr(at_);
    if (rest.starts_with("<!--")) return SkipTo("<!--", "-->");
    if (rest.starts_with("<?")) return SkipTo("<?", "?>");
    if (rest.starts_with("<![CDATA[")) {
      if (depth_ == 0) return Wrong("text outside of any element");
      return SkipTo("<![CDATA[", "]]>");
    }
    if (rest.starts_with("<!")) return Wrong("a document type declaration, which is refused");
    if (!rest.starts_with("</")) return StartTag();
    if (--depth_ < 0) return Wrong("an end tag too many");
    return SkipTo("</", ">");
  }

  Status StartTag() {
    size_t i = at_ + 1;
    while (i < text_.size() && text_[i] != '>') {
      if (text_[i] != '"' && text_[i] != '\'') {
        if (text_[i] == '<') return Wrong("'<' within a tag");
        ++i;
        continue;
      }
      const size_t end = text_.find(text_[i], i + 1);
      if (end == text_.npos) return Wrong("an attribute does not end");
      LS_RETURN_IF_ERROR(CharacterData(i + 1, end));
      if (++attributes_ > limits_.attributes_max) return TooLarge("too many attributes");
      i = end + 1;
    }
    if (i >= text_.size()) return Wrong("a tag does not end");
    const bool empty = text_[i - 1] == '/';
    if (depth_ == 0 && ++roots_ > 1) return Wrong("a second outermost element");
    if (++elements_ > limits_.elements_max) return TooLarge("too many elements");
    if (depth_ + 1 > limits_.depth_max) return TooLarge("elements nested too deep");
    if (!empty) ++depth_;
    at_ = i + 1;
    return {};
  }

  const std::string_view text_;
  const XmlLimits& limits_;
  size_t at_ = 0;
  int depth_ = 0;
  int roots_ = 0;
  size_t elements_ = 0;
  size_t attributes_ = 0;
};

}  // namespace

Status CheckXml(std::string_view text, const XmlLimits& limits) { return Checker(text, limits).Run(); }

namespace {

// What has to be replaced: & < > " ' and control characters.
constexpr std::array<bool, 256> SpecialBytes() {
  std::array<bool, 256> special{};
  for (size_t c = 0; c < 0x20; ++c) special[c] = !IsBlank(static_cast<char>(c));
  for (const char c : {'&', '<', '>', '"', '\''}) special[static_cast<unsigned char>(c)] = true;
  return special;
}
constexpr std::array<bool, 256> kSpecial = SpecialBytes();

std::string_view Replacement(char c) {
  switch (c) {
    case '&': return "&amp;";
    case '<': return "&lt;";
    case '>': return "&gt;";
    case '"': return "&quot;";
    case '\'': return "&apos;";
    default: return "\xef\xbf\xbd";
  }
}

}  // namespace

void AppendXmlText(std::string& out, std::string_view text) {
  size_t plain = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (!kSpecial[static_cast<unsigned char>(text[i])]) [[likely]] continue;
    out.append(text, plain, i - plain);
    out += Replacement(text[i]);
    plain = i + 1;
  }
  out.append(text, plain);
}

}  // namespace lockstep::wbem
