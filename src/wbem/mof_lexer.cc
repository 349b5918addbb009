#include "wbem/mof_lexer.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "wbem/utf8.h"

namespace lockstep::wbem {
namespace {

bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool IsWordStart(char c) { return (c & 0x80) || c == '_' || c == '$' || IsLetter(c); }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsWordPart(char c) { return IsWordStart(c) || IsDigit(c); }
bool IsHex(char c) { return IsDigit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

// Digits of one of MOF's bases, to its value.
bool ReadMagnitude(std::string_view digits, uint64_t& v) {
  int base = 10;
  if (digits.starts_with("0x") || digits.starts_with("0X")) {
    base = 16;
    digits.remove_prefix(2);
  } else if (digits.ends_with('b') || digits.ends_with('B')) {
    base = 2;
    digits.remove_suffix(1);
  } else if (digits.size() > 1 && digits.starts_with('0')) {
    base = 8;
  }
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), v, base);
  return !digits.empty() && error == std::errc() && end == digits.data() + digits.size();
}

}  // namespace

Status MofLexer::ErrorAt(const MofToken& token, std::string_view what) const {
  return InvalidArgument(fmt::format("{}:{}:{}: {}", name_, token.line, token.column, what));
}

void MofLexer::Advance(size_t n) {
  for (const char c : rest_.substr(0, n)) {
    if (c == '\n') {
      ++line_;
      column_ = 1;
    } else {
      ++column_;
    }
  }
  rest_.remove_prefix(n);
}

Status MofLexer::SkipBlanks() {
  while (!rest_.empty()) {
    if (rest_[0] == ' ' || rest_[0] == '\t' || rest_[0] == '\r' || rest_[0] == '\n' || rest_[0] == '\f') {
      Advance(1);
    } else if (rest_.starts_with("//") || rest_[0] == '#') {
      Advance(std::min(rest_.find('\n'), rest_.size()));
    } else if (rest_.starts_with("/*")) {
      const size_t end = rest_.find("*/", 2);
      if (end == rest_.npos)
        return InvalidArgument(fmt::format("{}:{}:{}: this comment does not end", name_, line_, column_));
      Advance(end + 2);
    } else if (rest_.starts_with("\xef\xbb\xbf") && line_ == 1 && column_ == 1) {
      rest_.remove_prefix(3);
    } else {
      break;
    }
  }
  return {};
}

Status MofLexer::ReadEscape(const MofToken& token, size_t& i, std::string& out) const {
  static constexpr std::string_view kLetters = "btnfr\"'\\", kBytes = "\b\t\n\f\r\"'\\";
  if (i >= rest_.size()) return ErrorAt(token, "this string does not end");
  const size_t plain = kLetters.find(rest_[i]);
  if (plain != kLetters.npos) {
    out += kBytes[plain];
    ++i;
    return {};
  }
  if (rest_[i] != 'x' && rest_[i] != 'X')
    return ErrorAt(token, "an escape other than \\b \\t \\n \\f \\r \\\" \\' \\\\ \\x");
  size_t end = ++i;
  while (end < rest_.size() && end < i + 4 && IsHex(rest_[end])) ++end;
  uint16_t unit = 0;
  if (end == i) return ErrorAt(token, "\\x needs one to four hexadecimal digits");
  std::from_chars(rest_.data() + i, rest_.data() + end, unit, 16);
  out += EncodeUtf8(static_cast<char16_t>(unit));
  i = end;
  return {};
}

Status MofLexer::ReadString(MofToken& token) {
  token.kind = MofToken::Kind::kString;
  while (true) {
    size_t i = 1;
    while (i < rest_.size() && rest_[i] != '"') {
      if (rest_[i] == '\n') return ErrorAt(token, "a string may not run over the end of its line");
      if (rest_[i] == '\\') {
        LS_RETURN_IF_ERROR(ReadEscape(token, ++i, token.string));
      } else {
        token.string += rest_[i++];
      }
      if (token.string.size() > kMaxString) return ErrorAt(token, "a string longer than 1 MiB is refused");
    }
    if (i >= rest_.size()) return ErrorAt(token, "this string does not end");
    Advance(i + 1);
    LS_RETURN_IF_ERROR(SkipBlanks());
    if (!rest_.starts_with('"')) return {};
  }
}

Status MofLexer::ReadChar(MofToken& token) {
  token.kind = MofToken::Kind::kChar;
  std::string content;
  size_t i = 1;
  while (i < rest_.size() && rest_[i] != '\'' && content.size() < 8) {
    if (rest_[i] == '\\') {
      LS_RETURN_IF_ERROR(ReadEscape(token, ++i, content));
    } else {
      content += rest_[i++];
    }
  }
  Result<Value> value = Value::Parse(CimType::kChar16, content);
  if (i >= rest_.size() || rest_[i] != '\'' || !value.ok()) return ErrorAt(token, "this is no character literal");
  token.value = *std::move(value);
  Advance(i + 1);
  return {};
}

Status MofLexer::ReadNumber(MofToken& token) {
  token.kind = MofToken::Kind::kNumber;
  size_t end = 1;
  while (end < rest_.size() && (IsWordPart(rest_[end]) || rest_[end] == '.' ||
                                ((rest_[end] == '+' || rest_[end] == '-') && (rest_[end - 1] | 0x20) == 'e' &&
                                 !rest_.starts_with("0x") && !rest_.starts_with("0X"))))
    ++end;
  token.text = rest_.substr(0, end);
  std::string_view digits = token.text;
  const bool negative = digits.starts_with('-');
  if (negative || digits.starts_with('+')) digits.remove_prefix(1);
  const Status wrong = ErrorAt(token, fmt::format("'{}' is no number that fits 64 bits", token.text.substr(0, 40)));
  uint64_t magnitude = 0;
  if (digits.find('.') != digits.npos) {
    Result<Value> real = Value::Parse(CimType::kReal64, token.text);
    if (!real.ok()) return wrong;
    token.value = *std::move(real);
  } else if (!ReadMagnitude(digits, magnitude) || (negative && magnitude > 1ull << 63)) {
    return wrong;
  } else {
    token.value = negative ? Value(static_cast<int64_t>(0 - magnitude)) : Value(magnitude);
  }
  Advance(end);
  return {};
}

Result<MofToken> MofLexer::Next() {
  LS_RETURN_IF_ERROR(SkipBlanks());
  MofToken token;
  token.line = line_;
  token.column = column_;
  if (rest_.empty()) return token;
  const char c = rest_[0];
  if (c == '"') {
    LS_RETURN_IF_ERROR(ReadString(token));
  } else if (c == '\'') {
    LS_RETURN_IF_ERROR(ReadChar(token));
  } else if (IsDigit(c) || c == '+' || c == '-' || (c == '.' && rest_.size() > 1 && IsDigit(rest_[1]))) {
    LS_RETURN_IF_ERROR(ReadNumber(token));
  } else if (IsWordStart(c)) {
    size_t end = 1;
    while (end < rest_.size() && IsWordPart(rest_[end])) ++end;
    token.kind = MofToken::Kind::kWord;
    token.text = rest_.substr(0, end);
    Advance(end);
  } else if (std::string_view("[](){}:;,=").find(c) != std::string_view::npos) {
    token.kind = MofToken::Kind::kPunctuation;
    token.text = rest_.substr(0, 1);
    Advance(1);
  } else {
    return ErrorAt(token, fmt::format("byte 0x{:02x} has no meaning here", static_cast<unsigned char>(c)));
  }
  return token;
}

}  // namespace lockstep::wbem
