// Turns what clients send into what the schema declares, or says why that cannot be. Every failure is invalid-argument
// with a sentence that names the property, parameter or key.
#pragma once

#include <string_view>

#include "base/status.h"
#include "wbem/objects.h"
#include "wbem/schema.h"

namespace lockstep::wbem {

inline constexpr int kMaxEmbedding = 8;  // embedded instances within each other, and references within keys

class Coercion {
 public:
  // References without namespace are taken to be in `ns`. `schema` outlives the object.
  Coercion(const Schema& schema, std::string_view ns) : schema_(schema), ns_(ns) {}

  // With `typed` a value must be of the declared type or a number that fits it; without, scalars are text to be read as
  // the declared type. Text of embedded instances is parsed (XML or MOF, as its first character says) and typed.
  Result<Value> ToDeclared(const TypedElement& declared, const Value& sent, bool typed) const;
  // Properties get their declared types, spelling of names and NULLs; unknown classes and properties are refused.
  Status TypeInstance(Instance& instance) const;
  // Fills in the namespace and types the keys, whose names must be exactly the class's. A path without keys stays one.
  // The class must be known in the path's namespace.
  Result<ObjectPath> ToPath(ObjectPath path) const;

 private:
  Coercion Deeper() const {
    Coercion deeper = *this;
    ++deeper.depth_;
    return deeper;
  }
  Result<Value> Scalar(const TypedElement& declared, const Value& sent, bool typed) const;
  Result<Value> Reference(const TypedElement& declared, const Value& sent) const;
  Result<Value> Embedded(const TypedElement& declared, const Value& sent) const;
  Result<Value> ElementValue(const TypedElement& declared, const Value& sent, bool typed) const;

  const Schema& schema_;
  std::string_view ns_;
  int depth_ = 0;
};

}  // namespace lockstep::wbem
