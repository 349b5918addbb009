#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "wbem/objects.h"
#include "wbem/utf8.h"

namespace lockstep::wbem {
namespace {

constexpr std::array<std::string_view, 16> kTypeNames = {
    "boolean", "uint8",  "uint16", "uint32", "uint64", "sint8",    "sint16",    "sint32",
    "sint64",  "real32", "real64", "char16", "string", "datetime", "reference", "string"};

uint64_t MaxOf(CimType type) {
  switch (type) {
    case CimType::kUint8: return std::numeric_limits<uint8_t>::max();
    case CimType::kUint16: return std::numeric_limits<uint16_t>::max();
    case CimType::kUint32: return std::numeric_limits<uint32_t>::max();
    case CimType::kSint8: return std::numeric_limits<int8_t>::max();
    case CimType::kSint16: return std::numeric_limits<int16_t>::max();
    case CimType::kSint32: return std::numeric_limits<int32_t>::max();
    case CimType::kSint64: return std::numeric_limits<int64_t>::max();
    default: return std::numeric_limits<uint64_t>::max();
  }
}

Status WrongText(CimType type, std::string_view text) {
  return InvalidArgument(fmt::format("'{}' is no {}", text.substr(0, 64), TypeName(type)));
}

Value MakeUnsigned(CimType type, uint64_t v) {
  switch (type) {
    case CimType::kUint8: return Value(static_cast<uint8_t>(v));
    case CimType::kUint16: return Value(static_cast<uint16_t>(v));
    case CimType::kUint32: return Value(static_cast<uint32_t>(v));
    case CimType::kChar16: return Value(static_cast<char16_t>(v));
    default: return Value(v);
  }
}

Value MakeSigned(CimType type, int64_t v) {
  switch (type) {
    case CimType::kSint8: return Value(static_cast<int8_t>(v));
    case CimType::kSint16: return Value(static_cast<int16_t>(v));
    case CimType::kSint32: return Value(static_cast<int32_t>(v));
    default: return Value(v);
  }
}

Result<Value> ParseInteger(CimType type, std::string_view text) {
  std::string_view digits = text;
  const bool negative = digits.starts_with('-');
  if (negative || digits.starts_with('+')) digits.remove_prefix(1);
  int base = 10;
  if (digits.starts_with("0x") || digits.starts_with("0X")) {
    digits.remove_prefix(2);
    base = 16;
  }
  uint64_t magnitude = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), magnitude, base);
  if (digits.empty() || error != std::errc() || end != digits.data() + digits.size()) return WrongText(type, text);
  if (IsUnsigned(type)) {
    if ((negative && magnitude != 0) || magnitude > MaxOf(type)) return WrongText(type, text);
    return MakeUnsigned(type, magnitude);
  }
  if (magnitude > MaxOf(type) + (negative ? 1 : 0)) return WrongText(type, text);
  return MakeSigned(type, static_cast<int64_t>(negative ? 0 - magnitude : magnitude));
}

Result<Value> ParseReal(CimType type, std::string_view text) {
  std::string_view digits = text;
  if (digits.starts_with('+')) digits.remove_prefix(1);
  double v = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), v);
  if (digits.empty() || error != std::errc() || end != digits.data() + digits.size()) return WrongText(type, text);
  if (type == CimType::kReal32) return Value(static_cast<float>(v));
  return Value(v);
}

std::string RealText(CimType type, double v) {
  if (std::isnan(v)) return "NaN";
  if (std::isinf(v)) return v < 0 ? "-INF" : "INF";
  std::string text = type == CimType::kReal32 ? fmt::format("{}", static_cast<float>(v)) : fmt::format("{}", v);
  // DSP0004's grammar has a point in every real number.
  if (text.find('.') == text.npos) text.insert(std::min(text.find('e'), text.size()), ".0");
  return text;
}

bool SameText(CimType a, CimType b) {
  const auto textual = [](CimType t) { return t == CimType::kString || t == CimType::kDatetime; };
  return textual(a) && textual(b);
}

}  // namespace

std::string_view TypeName(CimType type) { return kTypeNames[static_cast<size_t>(type)]; }

std::optional<CimType> ParseTypeName(std::string_view name) {
  for (size_t i = 0; i + 1 < kTypeNames.size(); ++i)
    if (NameEquals(kTypeNames[i], name)) return static_cast<CimType>(i);
  return std::nullopt;
}

Value Value::Null(CimType type, bool array) {
  Value v;
  v.type_ = type;
  v.array_ = array;
  return v;
}

Value::Value(ObjectPath v) : type_(CimType::kReference), v_(std::make_shared<const ObjectPath>(std::move(v))) {}
Value::Value(Instance v) : type_(CimType::kInstance), v_(std::make_shared<const Instance>(std::move(v))) {}

Value Value::ArrayOf(CimType type, Elements elements) {
  Value v = Null(type, true);
  v.v_ = std::move(elements);
  return v;
}

Result<Value> Value::Parse(CimType type, std::string_view text) {
  if (IsUnsigned(type) || IsSigned(type)) return ParseInteger(type, text);
  if (IsReal(type)) return ParseReal(type, text);
  switch (type) {
    case CimType::kBoolean:
      if (NameEquals(text, "true")) return Value(true);
      if (NameEquals(text, "false")) return Value(false);
      return WrongText(type, text);
    case CimType::kChar16: {
      const std::optional<char16_t> c = DecodeOneUtf16Unit(text);
      if (!c) return WrongText(type, text);
      return Value(*c);
    }
    case CimType::kString: return Value(text);
    case CimType::kDatetime: {
      LS_ASSIGN_OR_RETURN(const Datetime d, Datetime::Parse(text));
      return Value(d);
    }
    default: return WrongText(type, text);
  }
}

std::optional<bool> Value::AsBool() const {
  const bool* v = std::get_if<bool>(&v_);
  return v ? std::optional(*v) : std::nullopt;
}

std::optional<uint64_t> Value::AsUnsigned() const {
  if (const auto* v = std::get_if<uint64_t>(&v_)) return *v;
  if (const auto* v = std::get_if<int64_t>(&v_); v && *v >= 0) return static_cast<uint64_t>(*v);
  return std::nullopt;
}

std::optional<int64_t> Value::AsSigned() const {
  if (const auto* v = std::get_if<int64_t>(&v_)) return *v;
  if (const auto* v = std::get_if<uint64_t>(&v_); v && *v <= MaxOf(CimType::kSint64)) return static_cast<int64_t>(*v);
  return std::nullopt;
}

std::optional<double> Value::AsReal() const {
  const double* v = std::get_if<double>(&v_);
  return v ? std::optional(*v) : std::nullopt;
}

std::optional<Datetime> Value::AsDatetime() const {
  const Datetime* v = std::get_if<Datetime>(&v_);
  return v ? std::optional(*v) : std::nullopt;
}

const std::string* Value::AsString() const { return std::get_if<std::string>(&v_); }

const ObjectPath* Value::AsReference() const {
  const auto* v = std::get_if<std::shared_ptr<const ObjectPath>>(&v_);
  return v ? v->get() : nullptr;
}

const Instance* Value::AsInstance() const {
  const auto* v = std::get_if<std::shared_ptr<const Instance>>(&v_);
  return v ? v->get() : nullptr;
}

const Value::Elements* Value::AsArray() const { return std::get_if<Elements>(&v_); }

Result<Value> Value::ConvertTo(CimType type, bool array) const {
  if (type == type_ && array == array_) return *this;
  if (is_null()) return Null(type, array);
  if (array != array_)
    return InvalidArgument(array ? "a single value stands where an array is declared"
                                 : "an array stands where a single value is declared");
  if (const Elements* elements = AsArray()) {
    Elements converted;
    converted.reserve(elements->size());
    for (const Value& e : *elements) {
      LS_ASSIGN_OR_RETURN(Value c, e.ConvertTo(type, false));
      converted.push_back(std::move(c));
    }
    return ArrayOf(type, std::move(converted));
  }
  if (IsUnsigned(type)) {
    if (const auto v = AsUnsigned(); v && IsNumeric(type_) && *v <= MaxOf(type)) return MakeUnsigned(type, *v);
  } else if (IsSigned(type)) {
    if (const auto v = AsSigned(); v && IsNumeric(type_) && *v <= static_cast<int64_t>(MaxOf(type)) &&
                                   *v >= -static_cast<int64_t>(MaxOf(type)) - 1)
      return MakeSigned(type, *v);
  } else if (IsReal(type) && IsNumeric(type_)) {
    const double v = AsReal() ? *AsReal() : AsSigned() ? static_cast<double>(*AsSigned())
                                                       : static_cast<double>(*AsUnsigned());
    return type == CimType::kReal32 ? Value(static_cast<float>(v)) : Value(v);
  } else if (SameText(type, type_)) {
    return Parse(type, ToText());
  }
  return InvalidArgument(fmt::format("'{}' is a {}, not a {}", ToText().substr(0, 64), TypeName(type_),
                                     TypeName(type)));
}

std::string Value::ToText() const {
  if (is_null()) return "";
  if (const auto v = AsBool()) return *v ? "TRUE" : "FALSE";
  if (const auto v = AsUnsigned(); v && type_ == CimType::kChar16) return EncodeUtf8(static_cast<char16_t>(*v));
  if (const auto* v = std::get_if<uint64_t>(&v_)) return std::to_string(*v);
  if (const auto* v = std::get_if<int64_t>(&v_)) return std::to_string(*v);
  if (const auto v = AsReal()) return RealText(type_, *v);
  if (const auto* v = AsString()) return *v;
  if (const auto v = AsDatetime()) return v->ToString();
  if (const ObjectPath* v = AsReference()) return v->ToString();
  if (const Instance* v = AsInstance()) return "instance of " + v->class_name;
  return "array";
}

bool Value::operator==(const Value& other) const {
  if (type_ != other.type_ || array_ != other.array_ || v_.index() != other.v_.index()) return false;
  if (const ObjectPath* path = AsReference()) return path->SameAs(*other.AsReference());
  if (const Instance* instance = AsInstance()) return *instance == *other.AsInstance();
  return v_ == other.v_;
}

}  // namespace lockstep::wbem
