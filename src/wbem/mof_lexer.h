// Words of MOF text (DSP0004 annex A), with their places. Comments and #pragma lines are skipped. Sans-I/O.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"
#include "wbem/objects.h"

namespace lockstep::wbem {

struct MofToken {
  enum class Kind : uint8_t { kEnd, kWord, kString, kNumber, kChar, kPunctuation };
  Kind kind = Kind::kEnd;
  std::string_view text;  // kWord, kPunctuation (one character), kNumber: as written
  std::string string;     // kString: its content, escapes resolved, adjacent literals joined
  Value value;            // kNumber (uint64, sint64 when negative, or real64), kChar
  int line = 1;
  int column = 1;
};

class MofLexer {
 public:
  static constexpr size_t kMaxString = 1 << 20;  // bytes of one (joined) string

  // `name` stands in errors; both views outlive the lexer.
  MofLexer(std::string_view name, std::string_view text) : name_(name), rest_(text) {}

  // The next token; kEnd at the end, again and again. invalid-argument with name:line:column.
  Result<MofToken> Next();
  // An error at a token's place.
  Status ErrorAt(const MofToken& token, std::string_view what) const;

 private:
  Status SkipBlanks();
  Status ReadString(MofToken& token);
  Status ReadEscape(const MofToken& token, size_t& i, std::string& out) const;
  Status ReadChar(MofToken& token);
  Status ReadNumber(MofToken& token);
  void Advance(size_t n);

  std::string_view name_;
  std::string_view rest_;
  int line_ = 1;
  int column_ = 1;
};

}  // namespace lockstep::wbem
