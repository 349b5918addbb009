// What a CIM operation speaks of: typed values, instances and object paths (DSP0004). Value types without behaviour;
// distinct objects may be used by distinct threads.
#pragma once

#include <concepts>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "base/status.h"
#include "wbem/datetime.h"
#include "wbem/names.h"
#include "wbem/property_name.h"

namespace lockstep::wbem {

class Instance;
class ObjectPath;

// The intrinsic types, and kInstance for what the schema calls `string` with the qualifier EmbeddedInstance or
// EmbeddedObject: here such a value is an Instance and not its text.
enum class CimType : uint8_t {
  kBoolean, kUint8, kUint16, kUint32, kUint64, kSint8, kSint16, kSint32, kSint64, kReal32, kReal64, kChar16, kString,
  kDatetime, kReference, kInstance,
};

// The word of MOF and of CIM-XML's TYPE attribute: "uint16"; "string" for kInstance; "reference" for kReference.
std::string_view TypeName(CimType type);
// The other way; case is ignored. Never kInstance.
std::optional<CimType> ParseTypeName(std::string_view name);
constexpr bool IsUnsigned(CimType t) { return t >= CimType::kUint8 && t <= CimType::kUint64; }
constexpr bool IsSigned(CimType t) { return t >= CimType::kSint8 && t <= CimType::kSint64; }
constexpr bool IsReal(CimType t) { return t == CimType::kReal32 || t == CimType::kReal64; }
constexpr bool IsNumeric(CimType t) { return t >= CimType::kUint8 && t <= CimType::kReal64; }

namespace internal {
template <typename T>
constexpr CimType TypeOf() {
  if constexpr (std::is_enum_v<T>) return TypeOf<std::underlying_type_t<T>>();
  else if constexpr (std::is_same_v<T, bool>) return CimType::kBoolean;
  else if constexpr (std::is_same_v<T, char16_t>) return CimType::kChar16;
  else if constexpr (std::is_same_v<T, float>) return CimType::kReal32;
  else if constexpr (std::is_same_v<T, double>) return CimType::kReal64;
  else if constexpr (std::is_same_v<T, Datetime>) return CimType::kDatetime;
  else if constexpr (std::is_same_v<T, ObjectPath>) return CimType::kReference;
  else if constexpr (std::is_same_v<T, Instance>) return CimType::kInstance;
  else if constexpr (std::is_unsigned_v<T>)
    return sizeof(T) == 1 ? CimType::kUint8 : sizeof(T) == 2 ? CimType::kUint16 : sizeof(T) == 4 ? CimType::kUint32
                                                                                                 : CimType::kUint64;
  else if constexpr (std::is_integral_v<T>)
    return sizeof(T) == 1 ? CimType::kSint8 : sizeof(T) == 2 ? CimType::kSint16 : sizeof(T) == 4 ? CimType::kSint32
                                                                                                 : CimType::kSint64;
  else return CimType::kString;
}
}  // namespace internal

// A typed value: NULL, a scalar or an array of scalars. NULL, the empty string and the empty array are three different
// things. C++ types become CIM types of the same width: Value(uint16_t{3}) is a uint16, Value("x") a string, an enum
// its underlying type. The operation core converts numbers to the declared type where nothing is lost, so that a
// provider may write plain numbers. References and embedded instances are shared and immutable: copying a Value is
// cheap.
class Value {
 public:
  using Elements = std::vector<Value>;

  Value() = default;  // a NULL string
  static Value Null(CimType type, bool array = false);
  template <typename T>
    requires(std::integral<T> || std::floating_point<T> || std::is_enum_v<T>)
  Value(T v) : type_(internal::TypeOf<T>()) {
    if constexpr (std::is_enum_v<T>) *this = Value(static_cast<std::underlying_type_t<T>>(v));
    else if constexpr (std::is_same_v<T, bool>) v_ = v;
    else if constexpr (std::floating_point<T>) v_ = static_cast<double>(v);
    else if constexpr (std::is_signed_v<T>) v_ = static_cast<int64_t>(v);
    else v_ = static_cast<uint64_t>(v);
  }
  Value(std::string v) : v_(std::move(v)) {}
  Value(std::string_view v) : v_(std::string(v)) {}
  Value(const char* v) : v_(std::string(v)) {}
  Value(Datetime v) : type_(CimType::kDatetime), v_(v) {}
  Value(ObjectPath v);
  Value(Instance v);
  // NULL of the right type when there is none.
  template <typename T>
  Value(const std::optional<T>& v) : Value(v ? Value(*v) : Null(internal::TypeOf<T>())) {}
  // An array of T, possibly empty, never NULL.
  template <typename T>
  static Value Array(const std::vector<T>& elements) {
    Elements values;
    values.reserve(elements.size());
    for (const T& e : elements) values.emplace_back(e);
    return ArrayOf(internal::TypeOf<T>(), std::move(values));
  }
  // REQUIRES: every element is a scalar of `type`, or NULL.
  static Value ArrayOf(CimType type, Elements elements);
  // The text of CIM-XML's VALUE (DSP0201 5.2.4): decimal or hexadecimal (0x) numbers, TRUE/FALSE in any case, datetime
  // text. invalid-argument when it is not of the type or out of its range. Not for references and embedded instances.
  static Result<Value> Parse(CimType type, std::string_view text);

  CimType type() const { return type_; }
  bool is_array() const { return array_; }
  bool is_null() const { return v_.index() == 0; }

  // The content, or nothing when it is NULL or of another kind. Integers convert where they fit.
  std::optional<bool> AsBool() const;
  std::optional<uint64_t> AsUnsigned() const;
  std::optional<int64_t> AsSigned() const;
  std::optional<double> AsReal() const;
  std::optional<Datetime> AsDatetime() const;
  const std::string* AsString() const;
  const ObjectPath* AsReference() const;
  const Instance* AsInstance() const;
  const Elements* AsArray() const;  // nullptr for NULL and for scalars

  // The same value as another type: between numbers that fit, between strings and datetimes of the right shape, NULL to
  // NULL. invalid-argument when something would be lost. The array-ness must agree.
  Result<Value> ConvertTo(CimType type, bool array) const;
  // A scalar as CIM-XML and paths write it ("TRUE", "42", the string itself; a reference as its ToString; "" for NULL).
  std::string ToText() const;

  // Same type, same content; references as ObjectPath::SameAs.
  bool operator==(const Value& other) const;

 private:
  CimType type_ = CimType::kString;
  bool array_ = false;
  std::variant<std::monostate, bool, uint64_t, int64_t, double, std::string, Datetime,
               std::shared_ptr<const ObjectPath>, std::shared_ptr<const Instance>, Elements>
      v_;
};

struct Property {
  PropertyName name;
  Value value;
};

// The name of an instance (keys given) or of a class (no keys). Key values that came over the wire may be untyped: a
// number is then a uint64 or sint64, everything else a string.
class ObjectPath {
 public:
  ObjectPath() = default;
  ObjectPath(std::string ns, std::string class_name, std::vector<Property> keys = {});

  std::string host;  // empty: this server
  std::string ns;    // without leading and trailing slashes; empty: that of the operation
  std::string class_name;
  std::vector<Property> keys;

  bool empty() const { return class_name.empty(); }
  // nullptr when there is no such key.
  const Value* Key(std::string_view name) const;
  // The text of a string key; empty when it is missing or no string.
  std::string_view KeyText(std::string_view name) const;
  ObjectPath& SetKey(PropertyName name, Value value);

  // The same object: host ignored; namespace, class and key names without case; keys in any order; key values by what
  // they say, so that an untyped 1 equals a uint8 1 and a datetime its text.
  bool SameAs(const ObjectPath& other) const;
  // One string for all paths that are SameAs each other: what an index is keyed by.
  std::string CanonicalKey() const;
  // ns:Class.Key="text",Other=3 (keys sorted by name; no "ns:" when ns is empty; no host). DSP0004 8.2.5. A reference
  // among the keys is written as its own text, quoted; Parse gives it back as a string.
  std::string ToString() const;
  // Reads what ToString writes, also with a leading //host/. invalid-argument otherwise. Text longer than 64 KiB is
  // refused.
  static Result<ObjectPath> Parse(std::string_view text);
};

// Properties in their order. Names compare without case.
class Instance {
 public:
  Instance() = default;
  explicit Instance(std::string name) : class_name(std::move(name)) {}

  std::string class_name;
  std::vector<Property> properties;
  ObjectPath path;  // empty() for an embedded or not yet created one

  // nullptr when the property is not there (which differs from being NULL).
  const Value* Find(std::string_view name) const;
  // The value, or NULL when it is not there.
  const Value& operator[](std::string_view name) const;
  // Replaces or appends.
  Instance& Set(std::string_view name, Value value);
  // Appends without looking whether the name is there already.
  // REQUIRES: it is not. The fast way for providers that write each property once.
  Instance& Add(PropertyName name, Value value) {
    if (properties.capacity() == 0) properties.reserve(24);  // growing step by step costs more than the rest
    properties.push_back({std::move(name), std::move(value)});
    return *this;
  }
  bool operator==(const Instance& other) const;  // class and properties (in any order); the path is not compared
};

// A namespace without slashes before and behind it.
std::string_view StripSlashes(std::string_view ns);

}  // namespace lockstep::wbem
