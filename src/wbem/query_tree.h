// The inside of a Query, as query_parser.cc builds it and query.cc walks it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "wbem/objects.h"

namespace lockstep::wbem::query {

// One step of a property path: a name, the class that it is looked up in, an element of an array.
struct Step {
  std::string scope;  // empty: the object's own class
  std::string name;
  std::optional<uint32_t> index;
};

struct Operand {
  enum class Quantifier : uint8_t { kNone, kAny, kEvery };
  std::vector<Step> path;  // empty: a literal, or (self) the object itself
  bool self = false;
  Quantifier quantifier = Quantifier::kNone;
  Value literal;  // NULL, boolean, uint64, sint64, real64 or string
  bool is_literal() const { return path.empty() && !self; }
};

// A LIKE pattern of either kind, as steps that a matcher follows without going back.
struct Pattern {
  struct Atom {
    enum class Kind : uint8_t { kByte, kAny, kSet };
    Kind kind = Kind::kByte;
    char byte = 0;
    bool negated = false;
    std::vector<std::pair<unsigned char, unsigned char>> ranges;
    bool optional = false;   // zero times too
    bool repeated = false;   // more than once too
  };
  std::vector<Atom> atoms;
  bool Matches(std::string_view text) const;
};

struct Condition {
  enum class Kind : uint8_t { kAnd, kOr, kNot, kCompare, kIsNull, kIsA, kLike, kConstant };
  enum class Comparison : uint8_t { kEqual, kNotEqual, kLess, kLessEqual, kGreater, kGreaterEqual };
  Kind kind = Kind::kConstant;
  std::vector<std::unique_ptr<Condition>> parts;  // kAnd, kOr: two or more; kNot: one
  Comparison comparison = Comparison::kEqual;
  Operand left, right;     // right: kCompare only
  std::string class_name;  // kIsA
  Pattern pattern;         // kLike
};

}  // namespace lockstep::wbem::query
