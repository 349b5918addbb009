#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "wbem/query.h"
#include "wbem/query_tree.h"
#include "wbem/utf8.h"

namespace lockstep::wbem {
namespace {

using query::Condition;
using query::Operand;
using query::Pattern;
using query::Step;

constexpr size_t kMaxParts = 1024;  // conditions joined by one AND or OR; steps of a path

struct Token {
  enum class Kind : uint8_t { kEnd, kName, kText, kNumber, kSign };
  Kind kind = Kind::kEnd;
  std::string text;  // kName, kText without quotes, kSign
  Value number;
  size_t at = 0;
};

bool IsNameStart(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (c & 0x80); }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsBlank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

}  // namespace

// A recursive descent; what is wrong is kept in error_, and every function gives false from then on.
class QueryParser {
 public:
  QueryParser(QueryLanguage language, std::string_view text) : language_(language), text_(text) {}

  CimStatus ReadStatement(Query& query) {
    if (!Start() || !Select(query)) return error_;
    if (AtWord("WHERE") && !(Step() && Where(query))) return error_;
    return AtEnd();
  }
  CimStatus ReadFilter(Query& query) {
    if (!Start()) return error_;
    if (token_.kind != Token::Kind::kEnd && !Where(query)) return error_;
    return AtEnd();
  }

 private:
  bool Start() {
    if (text_.size() > kMaxQueryText) return Wrong("a query longer than 64 KiB is refused");
    if (!IsUtf8(text_)) return Wrong("the query is not UTF-8");
    return Step();
  }
  CimStatus AtEnd() {
    if (token_.kind != Token::Kind::kEnd) Wrong(fmt::format("'{}' is not expected here", token_.text.substr(0, 40)));
    return error_;
  }
  bool Fail(CimCode code, std::string_view what) {
    if (error_.ok()) error_ = {code, fmt::format("the query, at character {}: {}", token_.at + 1, what)};
    return false;
  }
  bool Wrong(std::string_view what) { return Fail(CimCode::kInvalidQuery, what); }
  bool Missing(std::string_view what) { return Fail(CimCode::kQueryFeatureNotSupported, what); }

  // --- words

  bool Step() {
    while (at_ < text_.size() && IsBlank(text_[at_])) ++at_;
    token_ = {};
    token_.at = at_;
    if (at_ == text_.size()) return true;
    const char c = text_[at_];
    if (IsNameStart(c)) {
      const size_t from = at_;
      while (at_ < text_.size() && (IsNameStart(text_[at_]) || IsDigit(text_[at_]))) ++at_;
      token_.kind = Token::Kind::kName;
      token_.text = text_.substr(from, at_ - from);
      return true;
    }
    if (c == '\'' || c == '"') return ReadText(c);
    const bool signed_number = (c == '-' || c == '+') && at_ + 1 < text_.size() && IsDigit(text_[at_ + 1]);
    if (IsDigit(c) || signed_number) return ReadNumber();
    return ReadSign();
  }
  bool ReadText(char quote) {
    token_.kind = Token::Kind::kText;
    for (++at_; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (c == quote) {
        ++at_;
        // Doubled, it stands for itself (SQL).
        if (at_ >= text_.size() || text_[at_] != quote) return true;
        token_.text += quote;
        continue;
      }
      if (c == '\\' && at_ + 1 < text_.size()) {
        const char next = text_[at_ + 1];
        if (next == '\\' || next == '\'' || next == '"') {
          token_.text += next;
          ++at_;
          continue;
        }
      }
      token_.text += c;
    }
    return Wrong("a text does not end");
  }
  bool ReadNumber() {
    const size_t from = at_;
    const auto in_number = [](char c) {
      return IsDigit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || c == 'x' || c == 'X' || c == '.';
    };
    ++at_;
    while (at_ < text_.size() && (in_number(text_[at_]) || ((text_[at_] == '+' || text_[at_] == '-') &&
                                                            (text_[at_ - 1] == 'e' || text_[at_ - 1] == 'E'))))
      ++at_;
    const std::string_view digits = text_.substr(from, at_ - from);
    token_.kind = Token::Kind::kNumber;
    token_.text = digits;
    const bool hex = digits.find_first_of("xX") != digits.npos;
    const bool real = !hex && digits.find_first_of(".eE") != digits.npos;
    Result<Value> value = Value::Parse(real                     ? CimType::kReal64
                                       : digits.starts_with('-') ? CimType::kSint64
                                                                 : CimType::kUint64, digits);
    if (!value.ok()) return Wrong(fmt::format("'{}' is no number", digits.substr(0, 40)));
    token_.number = *std::move(value);
    return true;
  }
  bool ReadSign() {
    static constexpr std::string_view kSigns[] = {"<>", "!=", "<=", ">=", "::", "=", "<", ">", "(", ")",
                                                  ",",  ".",  "[",  "]",  "*"};
    for (const std::string_view sign : kSigns) {
      if (!text_.substr(at_).starts_with(sign)) continue;
      token_.kind = Token::Kind::kSign;
      token_.text = sign;
      at_ += sign.size();
      return true;
    }
    return Wrong(fmt::format("character '{}' has no meaning here", text_.substr(at_, 1)));
  }
  bool AtWord(std::string_view word) const {
    return token_.kind == Token::Kind::kName && NameEquals(token_.text, word);
  }
  bool AtSign(std::string_view sign) const { return token_.kind == Token::Kind::kSign && token_.text == sign; }
  bool Expect(std::string_view sign) {
    if (!AtSign(sign)) return Wrong(fmt::format("'{}' is expected", sign));
    return Step();
  }
  bool ReadName(std::string& name, std::string_view what) {
    if (token_.kind != Token::Kind::kName) return Wrong(fmt::format("{} is expected", what));
    name = token_.text;
    return Step();
  }

  // --- statements

  bool Select(Query& query) {
    if (!AtWord("SELECT")) return Wrong("SELECT is expected");
    if (!Step()) return false;
    if (AtWord("DISTINCT") || AtWord("FIRST")) return Missing(token_.text + " is not supported");
    std::vector<Operand> listed;
    bool all = false;
    do {
      if (!listed.empty() || all) {
        if (!Step()) return false;
      }
      if (AtSign("*")) {
        all = true;
        if (!Step()) return false;
        continue;
      }
      if (!SelectOne(listed, all)) return false;
    } while (AtSign(","));
    if (!AtWord("FROM")) return Wrong("FROM is expected");
    if (!Step() || !ReadName(query.class_name_, "a class")) return false;
    if (AtSign(",") || AtWord("JOIN")) return Missing("a query of more than one class is not supported");
    if (AtWord("AS") && !Step()) return false;
    if (token_.kind == Token::Kind::kName && !AtWord("WHERE") && !AtWord("ORDER") && !ReadName(alias_, "an alias"))
      return false;
    if (AtWord("ORDER")) return Missing("ORDER BY is not supported");
    class_name_ = query.class_name_;
    if (!all) query.selected_ = TopProperties(listed);
    return true;
  }
  bool SelectOne(std::vector<Operand>& listed, bool& all) {
    Operand operand;
    if (!ReadPath(operand)) return false;
    if (listed.size() == kMaxParts) return Wrong("more than 1024 properties are refused");
    if (AtSign(".")) {  // Class.*, whose name has been read as a path
      if (!Step() || !AtSign("*")) return Wrong("a property or '*' is expected");
      all = true;
      return Step();
    }
    if (AtSign("(")) return Missing("functions are not supported");
    if (AtWord("AS")) return Missing("renaming results is not supported");
    listed.push_back(std::move(operand));
    return true;
  }
  std::vector<std::string> TopProperties(const std::vector<Operand>& listed) const {
    std::vector<std::string> names;
    for (const Operand& operand : listed) {
      std::vector<query::Step> path = operand.path;
      DropRoot(path);
      if (!path.empty()) names.push_back(path.front().name);
    }
    return names;
  }
  bool Where(Query& query) {
    query.where_ = Or(0);
    return error_.ok();
  }

  // --- conditions

  using ConditionPtr = std::unique_ptr<Condition>;

  ConditionPtr Joined(Condition::Kind kind, std::string_view word, int depth) {
    ConditionPtr first = kind == Condition::Kind::kOr ? Joined(Condition::Kind::kAnd, "AND", depth) : Not(depth);
    if (!error_.ok() || !AtWord(word)) return first;
    auto joined = std::make_unique<Condition>();
    joined->kind = kind;
    joined->parts.push_back(std::move(first));
    while (AtWord(word)) {
      if (joined->parts.size() == kMaxParts) Wrong("more than 1024 conditions are refused");
      if (!error_.ok() || !Step()) return nullptr;
      joined->parts.push_back(kind == Condition::Kind::kOr ? Joined(Condition::Kind::kAnd, "AND", depth) : Not(depth));
      if (!error_.ok()) return nullptr;
    }
    return joined;
  }
  ConditionPtr Or(int depth) { return Joined(Condition::Kind::kOr, "OR", depth); }
  ConditionPtr Not(int depth) {
    if (depth > kMaxQueryNesting) {
      Wrong("conditions nested more than 64 deep are refused");
      return nullptr;
    }
    if (AtWord("NOT")) {
      if (!Step()) return nullptr;
      return Negated(Not(depth + 1));
    }
    if (!AtSign("(")) return Comparison();
    if (!Step()) return nullptr;
    ConditionPtr inner = Or(depth + 1);
    return error_.ok() && Expect(")") ? std::move(inner) : nullptr;
  }
  static ConditionPtr Negated(ConditionPtr inner) {
    auto negated = std::make_unique<Condition>();
    negated->kind = Condition::Kind::kNot;
    negated->parts.push_back(std::move(inner));
    return negated;
  }

  ConditionPtr Comparison() {
    auto condition = std::make_unique<Condition>();
    if (!ReadOperand(condition->left)) return nullptr;
    bool negated = false;
    if (AtWord("NOT")) {
      negated = true;
      if (!Step()) return nullptr;
      if (!AtWord("LIKE")) {
        Wrong("LIKE is expected after NOT");
        return nullptr;
      }
    }
    const bool read = AtWord("IS")     ? ReadIsNull(*condition, negated)
                      : AtWord("ISA")  ? ReadIsA(*condition)
                      : AtWord("LIKE") ? ReadLike(*condition)
                                       : ReadCompare(*condition);
    if (!read) return nullptr;
    return negated ? Negated(std::move(condition)) : std::move(condition);
  }
  bool ReadIsNull(Condition& condition, bool& negated) {
    if (!Step()) return false;
    negated = AtWord("NOT");
    if (negated && !Step()) return false;
    if (!AtWord("NULL")) return Wrong("NULL is expected");
    condition.kind = Condition::Kind::kIsNull;
    return Step();
  }
  bool ReadIsA(Condition& condition) {
    if (!Step()) return false;
    condition.kind = Condition::Kind::kIsA;
    if (token_.kind == Token::Kind::kText) {  // WQL has the class as a text
      condition.class_name = token_.text;
      return Step();
    }
    return ReadName(condition.class_name, "a class");
  }
  bool ReadLike(Condition& condition) {
    if (!Step()) return false;
    if (token_.kind != Token::Kind::kText) return Wrong("a pattern is expected");
    condition.kind = Condition::Kind::kLike;
    return ReadPattern(token_.text, condition.pattern) && Step();
  }
  bool ReadCompare(Condition& condition) {
    using C = Condition::Comparison;
    static constexpr std::pair<std::string_view, C> kComparisons[] = {
        {"=", C::kEqual}, {"<>", C::kNotEqual}, {"!=", C::kNotEqual},  {"<", C::kLess},
        {"<=", C::kLessEqual}, {">", C::kGreater}, {">=", C::kGreaterEqual}};
    for (const auto& [sign, comparison] : kComparisons) {
      if (!AtSign(sign)) continue;
      condition.kind = Condition::Kind::kCompare;
      condition.comparison = comparison;
      return Step() && ReadOperand(condition.right);
    }
    if (AtSign("(")) return Missing("functions are not supported");
    return Wrong("a comparison is expected");
  }

  bool ReadOperand(Operand& operand) {
    if (token_.kind == Token::Kind::kText) {
      operand.literal = Value(token_.text);
      return Step();
    }
    if (token_.kind == Token::Kind::kNumber) {
      operand.literal = token_.number;
      return Step();
    }
    for (const auto& [word, quantifier] : {std::pair{"ANY", Operand::Quantifier::kAny},
                                           std::pair{"EVERY", Operand::Quantifier::kEvery}}) {
      if (!AtWord(word)) continue;
      operand.quantifier = quantifier;
      if (!Step()) return false;
      return ReadPath(operand) && Root(operand);
    }
    if (AtWord("TRUE") || AtWord("FALSE")) {
      operand.literal = Value(AtWord("TRUE"));
      return Step();
    }
    if (AtWord("NULL")) return Step();
    return ReadPath(operand) && Root(operand);
  }
  // Name, Name.Name, Name[1], Name[*], Name.Class::Name.
  bool ReadPath(Operand& operand) {
    while (true) {
      query::Step step;
      if (!ReadName(step.name, "a property")) return false;
      if (AtSign("::")) {
        step.scope = std::move(step.name);
        if (!Step() || !ReadName(step.name, "a property")) return false;
      }
      if (AtSign("[")) {
        if (!Step()) return false;
        if (AtSign("*")) {  // every element, which is what ANY and EVERY mean anyway
          if (!Step() || !Expect("]")) return false;
          operand.path.push_back(std::move(step));
          if (!AtSign(".") || NextIsStar()) return true;
          if (!Step()) return false;
          continue;
        }
        const auto index = token_.kind == Token::Kind::kNumber ? token_.number.AsUnsigned() : std::nullopt;
        if (!index || *index > UINT32_MAX) return Wrong("the number of an element is expected");
        step.index = static_cast<uint32_t>(*index);
        if (!Step() || !Expect("]")) return false;
      }
      operand.path.push_back(std::move(step));
      if (operand.path.size() > 64) return Wrong("a property path of more than 64 steps is refused");
      if (!AtSign(".") || NextIsStar()) return true;
      if (!Step()) return false;
    }
  }
  bool NextIsStar() const {
    const size_t next = text_.find_first_not_of(" \t\r\n", at_);
    return next != text_.npos && text_[next] == '*';
  }
  // A path may begin with the class or its alias, which is the object itself.
  void DropRoot(std::vector<query::Step>& path) const {
    const query::Step& first = path.front();
    const bool is_root = first.scope.empty() && !first.index && !class_name_.empty() &&
                         (NameEquals(first.name, class_name_) || NameEquals(first.name, alias_));
    if (is_root) path.erase(path.begin());
  }
  bool Root(Operand& operand) {
    DropRoot(operand.path);
    operand.self = operand.path.empty();
    return true;
  }

  // --- patterns

  bool ReadPattern(std::string_view text, Pattern& pattern) {
    if (text.size() > 1024) return Wrong("a pattern of more than 1024 characters is refused");
    const bool sql = language_ == QueryLanguage::kWql;
    for (size_t i = 0; i < text.size(); ++i) {
      Pattern::Atom atom;
      const char c = text[i];
      if (sql ? c == '%' : c == '*' || c == '+' || c == '?') {
        if (!Repeat(c, pattern)) return false;
        continue;
      }
      if (c == (sql ? '_' : '.')) {
        atom.kind = Pattern::Atom::Kind::kAny;
      } else if (c == '[') {
        if (!ReadSet(text, i, atom)) return false;
      } else if (!sql && (c == '(' || c == ')' || c == '|' || c == '{' || c == '^' || c == '$')) {
        return Missing(fmt::format("'{}' in a pattern is not supported", c));
      } else if (c == '\\' && i + 1 < text.size()) {
        atom.byte = text[++i];
      } else {
        atom.byte = c;
      }
      pattern.atoms.push_back(std::move(atom));
    }
    return true;
  }
  bool Repeat(char c, Pattern& pattern) {
    if (c == '%') {
      pattern.atoms.push_back({Pattern::Atom::Kind::kAny, 0, false, {}, true, true});
      return true;
    }
    if (pattern.atoms.empty()) return Wrong("a pattern begins with a sign of repetition");
    Pattern::Atom& last = pattern.atoms.back();
    last.optional = last.optional || c != '+';
    last.repeated = last.repeated || c != '?';
    return true;
  }
  bool ReadSet(std::string_view text, size_t& i, Pattern::Atom& atom) {
    atom.kind = Pattern::Atom::Kind::kSet;
    ++i;
    if (i < text.size() && text[i] == '^') {
      atom.negated = true;
      ++i;
    }
    const size_t from = i;
    for (; i < text.size() && (text[i] != ']' || i == from); ++i) {
      auto low = static_cast<unsigned char>(text[i]), high = low;
      if (i + 2 < text.size() && text[i + 1] == '-' && text[i + 2] != ']') {
        high = static_cast<unsigned char>(text[i + 2]);
        i += 2;
      }
      atom.ranges.emplace_back(low, high);
    }
    return i < text.size() || Wrong("a set in a pattern does not end");
  }

  const QueryLanguage language_;
  const std::string_view text_;
  size_t at_ = 0;
  Token token_;
  std::string class_name_, alias_;
  CimStatus error_;
};

namespace {

std::optional<QueryLanguage> LanguageOf(std::string_view name) {
  static constexpr std::pair<std::string_view, QueryLanguage> kLanguages[] = {
      {"WQL", QueryLanguage::kWql},      {"WBEMSQL1", QueryLanguage::kWql}, {"DMTF:CQL", QueryLanguage::kCql},
      {"CIM:CQL", QueryLanguage::kCql},  {"CQL", QueryLanguage::kCql},      {"DMTF:FQL", QueryLanguage::kFql},
      {"FQL", QueryLanguage::kFql}};
  for (const auto& [known, language] : kLanguages)
    if (NameEquals(known, name)) return language;
  return std::nullopt;
}

CimStatus UnknownLanguage(std::string_view name, std::string_view known) {
  return {CimCode::kQueryLanguageNotSupported,
          fmt::format("the query language '{}' is not spoken here; write {}", name.substr(0, 40), known)};
}

}  // namespace

CimStatus Query::Parse(std::string_view language, std::string_view text, Query& query) {
  const auto known = LanguageOf(language);
  if (!known || *known == QueryLanguage::kFql) return UnknownLanguage(language, "WQL or DMTF:CQL");
  query.language_ = *known;
  return QueryParser(*known, text).ReadStatement(query);
}

CimStatus Query::ParseFilter(std::string_view language, std::string_view text, Query& query) {
  const auto known = LanguageOf(language);
  if (!known) return UnknownLanguage(language, "DMTF:FQL");
  query.language_ = *known;
  if (*known == QueryLanguage::kFql) return QueryParser(*known, text).ReadFilter(query);
  return QueryParser(*known, text).ReadStatement(query);
}

}  // namespace lockstep::wbem
