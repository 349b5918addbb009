#include "wbem/mof.h"

#include <algorithm>

#include <fmt/format.h>

#include "wbem/mof_lexer.h"
#include "wbem/qualifier_table.h"
#include "wbem/utf8.h"

namespace lockstep::wbem {
namespace {

constexpr size_t kMaxElements = 65536;  // of an array
constexpr size_t kMaxFeatures = 4096;   // of a class

class Parser {
 public:
  Parser(std::string_view name, std::string_view text) : lexer_(name, text) {}

  Result<std::vector<ClassDecl>> ReadClasses(std::vector<QualifierDecl>* qualifiers);
  Result<Instance> ReadOnlyInstance();

 private:
  using Kind = MofToken::Kind;

  Status Step() {
    LS_ASSIGN_OR_RETURN(token_, lexer_.Next());
    return {};
  }
  bool AtWord(std::string_view word) const { return token_.kind == Kind::kWord && NameEquals(token_.text, word); }
  bool At(char c) const { return token_.kind == Kind::kPunctuation && token_.text[0] == c; }
  Status Error(std::string_view what) const { return lexer_.ErrorAt(token_, what); }
  Status Expect(char c) {
    if (!At(c)) return Error(fmt::format("'{}' is expected here", c));
    return Step();
  }
  Status ReadName(std::string& name, std::string_view what) {
    if (token_.kind != Kind::kWord) return Error(fmt::format("{} is expected here", what));
    name = token_.text;
    return Step();
  }

  Status ReadQualifierDeclaration(QualifierDecl& declared);
  Status ReadDeclaredDefault(QualifierDecl& declared);
  Status ReadScopes(QualifierDecl& declared);
  Status ReadDeclaredFlavors(QualifierDecl& declared);
  Status ReadQualifiers(Qualifiers& qualifiers);
  Status ReadQualifier(Qualifier& qualifier);
  Status ReadFlavors(Qualifier& qualifier);
  Status ReadFlavor(Qualifier& qualifier);
  Status ReadClass(ClassDecl& cls);
  Status ReadFeature(ClassDecl& cls);
  Status ReadTypeAndName(TypedElement& element);
  Status ReadArraySuffix(TypedElement& element);
  Status ReadParameters(MethodDecl& method);
  Status ReadDefault(PropertyDecl& property);
  Status ReadScalar(Value& value);
  Status ReadValue(Value& value);
  Status ReadInstance(Instance& instance, int depth);
  Status ReadInstanceValue(Value& value, int depth);

  MofLexer lexer_;
  MofToken token_;
};

// Elements of one literal array take the type of the first (numbers are signed when one is); MOF has no other type to
// offer.
Result<Value> MakeArray(Value::Elements elements) {
  CimType type = elements.empty() ? CimType::kString : elements.front().type();
  for (const Value& e : elements)
    if (type == CimType::kUint64 && e.type() == CimType::kSint64) type = CimType::kSint64;
  for (Value& e : elements) {
    LS_ASSIGN_OR_RETURN(e, e.ConvertTo(type, false));
  }
  return Value::ArrayOf(type, std::move(elements));
}

Result<std::vector<ClassDecl>> Parser::ReadClasses(std::vector<QualifierDecl>* qualifiers) {
  std::vector<ClassDecl> classes;
  LS_RETURN_IF_ERROR(Step());
  while (token_.kind != Kind::kEnd) {
    if (AtWord("qualifier")) {
      QualifierDecl declared;
      LS_RETURN_IF_ERROR(ReadQualifierDeclaration(declared));
      if (qualifiers) qualifiers->push_back(std::move(declared));
      continue;
    }
    if (AtWord("instance")) return Error("a schema file declares classes only; instances come from providers");
    ClassDecl cls;
    if (At('[')) LS_RETURN_IF_ERROR(ReadQualifiers(cls.qualifiers));
    if (!AtWord("class")) return Error("'class' is expected here");
    LS_RETURN_IF_ERROR(ReadClass(cls));
    classes.push_back(std::move(cls));
  }
  return classes;
}

Result<Instance> Parser::ReadOnlyInstance() {
  Instance instance;
  LS_RETURN_IF_ERROR(Step());
  LS_RETURN_IF_ERROR(ReadInstance(instance, 1));
  if (At(';')) LS_RETURN_IF_ERROR(Step());
  if (token_.kind != Kind::kEnd) return Error("nothing may follow the instance");
  return instance;
}

// Qualifier Name : type [size] = default, Scope(...), Flavor(...);
Status Parser::ReadQualifierDeclaration(QualifierDecl& declared) {
  LS_RETURN_IF_ERROR(Step());
  const MofToken at = token_;
  LS_RETURN_IF_ERROR(ReadName(declared.name, "a qualifier's name"));
  LS_RETURN_IF_ERROR(Expect(':'));
  std::string word;
  const MofToken type_at = token_;
  LS_RETURN_IF_ERROR(ReadName(word, "a type"));
  const auto type = ParseTypeName(word);
  if (!type || *type == CimType::kReference) return lexer_.ErrorAt(type_at, "'" + word + "' is no type of a qualifier");
  TypedElement shape;
  LS_RETURN_IF_ERROR(ReadArraySuffix(shape));
  declared.type = *type;
  declared.array = shape.array;
  declared.array_size = shape.array_size;
  const QualifierType* standard = FindQualifierType(declared.name);
  if (standard && (standard->type != declared.type || standard->array != declared.array))
    return lexer_.ErrorAt(at, fmt::format("qualifier {} is a {}{} in the standard", declared.name,
                                          TypeName(standard->type), standard->array ? "[]" : ""));
  declared.default_value = Value::Null(declared.type, declared.array);
  if (At('=')) LS_RETURN_IF_ERROR(ReadDeclaredDefault(declared));
  while (At(',')) {
    LS_RETURN_IF_ERROR(Step());
    if (AtWord("scope")) LS_RETURN_IF_ERROR(ReadScopes(declared));
    else if (AtWord("flavor")) LS_RETURN_IF_ERROR(ReadDeclaredFlavors(declared));
    else return Error("Scope or Flavor is expected here");
  }
  return Expect(';');
}

Status Parser::ReadDeclaredDefault(QualifierDecl& declared) {
  LS_RETURN_IF_ERROR(Step());
  const MofToken at = token_;
  Value literal;
  LS_RETURN_IF_ERROR(ReadValue(literal));
  if (literal.AsArray() && literal.AsArray()->empty()) literal = Value::ArrayOf(declared.type, {});
  Result<Value> typed = literal.ConvertTo(declared.type, declared.array);
  if (!typed.ok()) return lexer_.ErrorAt(at, "default of '" + declared.name + "': " + typed.status().message());
  declared.default_value = *std::move(typed);
  return {};
}

Status Parser::ReadScopes(QualifierDecl& declared) {
  static constexpr std::pair<std::string_view, uint8_t> kScopes[] = {
      {"class", QualifierDecl::kClass},         {"association", QualifierDecl::kAssociation},
      {"reference", QualifierDecl::kReference}, {"property", QualifierDecl::kProperty},
      {"method", QualifierDecl::kMethod},       {"parameter", QualifierDecl::kParameter},
      {"indication", QualifierDecl::kIndication}, {"any", QualifierDecl::kAny},
      {"schema", 0},                            {"qualifier", 0}};
  LS_RETURN_IF_ERROR(Step());
  LS_RETURN_IF_ERROR(Expect('('));
  while (true) {
    const auto* scope = std::find_if(std::begin(kScopes), std::end(kScopes),
                                     [this](const auto& known) { return AtWord(known.first); });
    if (scope == std::end(kScopes)) return Error("a scope is expected here: class, property, any and so on");
    declared.scope |= scope->second;
    LS_RETURN_IF_ERROR(Step());
    if (!At(',')) return Expect(')');
    LS_RETURN_IF_ERROR(Step());
  }
}

Status Parser::ReadDeclaredFlavors(QualifierDecl& declared) {
  LS_RETURN_IF_ERROR(Step());
  LS_RETURN_IF_ERROR(Expect('('));
  Qualifier flavors{declared.name, {}, declared.overridable, declared.to_subclass, declared.translatable};
  while (true) {
    LS_RETURN_IF_ERROR(ReadFlavor(flavors));
    if (!At(',')) break;
    LS_RETURN_IF_ERROR(Step());
  }
  declared.overridable = flavors.overridable;
  declared.to_subclass = flavors.to_subclass;
  declared.translatable = flavors.translatable;
  return Expect(')');
}

Status Parser::ReadQualifiers(Qualifiers& qualifiers) {
  LS_RETURN_IF_ERROR(Expect('['));
  while (true) {
    Qualifier qualifier;
    const MofToken at = token_;
    LS_RETURN_IF_ERROR(ReadQualifier(qualifier));
    if (qualifiers.Find(qualifier.name)) return lexer_.ErrorAt(at, "qualifier '" + qualifier.name + "' is given twice");
    qualifiers.list.push_back(std::move(qualifier));
    if (qualifiers.list.size() > 256) return Error("more than 256 qualifiers are refused");
    if (!At(',')) return Expect(']');
    LS_RETURN_IF_ERROR(Step());
  }
}

Status Parser::ReadQualifier(Qualifier& qualifier) {
  const MofToken at = token_;
  LS_RETURN_IF_ERROR(ReadName(qualifier.name, "a qualifier's name"));
  const QualifierType* declared = FindQualifierType(qualifier.name);
  if (declared) {
    qualifier.overridable = declared->overridable;
    qualifier.to_subclass = declared->to_subclass;
    qualifier.translatable = declared->translatable;
  }
  qualifier.value = Value(true);
  if (At('(')) {
    LS_RETURN_IF_ERROR(Step());
    LS_RETURN_IF_ERROR(ReadValue(qualifier.value));
    LS_RETURN_IF_ERROR(Expect(')'));
  } else if (At('{')) {
    LS_RETURN_IF_ERROR(ReadValue(qualifier.value));
  }
  if (declared) {
    Result<Value> typed = qualifier.value.ConvertTo(declared->type, declared->array);
    if (!typed.ok()) return lexer_.ErrorAt(at, "qualifier '" + qualifier.name + "': " + typed.status().message());
    qualifier.value = *std::move(typed);
  }
  return At(':') ? ReadFlavors(qualifier) : Status();
}

Status Parser::ReadFlavors(Qualifier& qualifier) {
  LS_RETURN_IF_ERROR(Step());
  do LS_RETURN_IF_ERROR(ReadFlavor(qualifier));
  while (token_.kind == Kind::kWord);
  return {};
}

Status Parser::ReadFlavor(Qualifier& qualifier) {
  if (AtWord("EnableOverride")) qualifier.overridable = true;
  else if (AtWord("DisableOverride")) qualifier.overridable = false;
  else if (AtWord("ToSubclass")) qualifier.to_subclass = true;
  else if (AtWord("Restricted")) qualifier.to_subclass = false;
  else if (AtWord("Translatable")) qualifier.translatable = true;
  else return Error("a flavor is EnableOverride, DisableOverride, ToSubclass, Restricted or Translatable");
  return Step();
}

Status Parser::ReadClass(ClassDecl& cls) {
  LS_RETURN_IF_ERROR(Step());
  LS_RETURN_IF_ERROR(ReadName(cls.name, "a class name"));
  if (AtWord("as")) {
    std::string alias;
    LS_RETURN_IF_ERROR(Step());
    LS_RETURN_IF_ERROR(ReadName(alias, "an alias"));
  }
  if (At(':')) {
    LS_RETURN_IF_ERROR(Step());
    LS_RETURN_IF_ERROR(ReadName(cls.superclass, "the superclass"));
  }
  cls.association = cls.qualifiers.Is("Association");
  cls.indication = cls.qualifiers.Is("Indication");
  cls.abstract = cls.qualifiers.Is("Abstract");
  LS_RETURN_IF_ERROR(Expect('{'));
  while (!At('}')) {
    LS_RETURN_IF_ERROR(ReadFeature(cls));
    if (cls.properties.size() + cls.methods.size() > kMaxFeatures) return Error("a class this large is refused");
  }
  LS_RETURN_IF_ERROR(Step());
  return Expect(';');
}

Status Parser::ReadTypeAndName(TypedElement& element) {
  const MofToken type = token_;
  std::string word;
  LS_RETURN_IF_ERROR(ReadName(word, "a type or a class name"));
  if (AtWord("REF")) {
    element.type = CimType::kReference;
    element.object_class = std::move(word);
    LS_RETURN_IF_ERROR(Step());
  } else if (const auto known = ParseTypeName(word); known && *known != CimType::kReference) {
    element.type = *known;
  } else {
    return lexer_.ErrorAt(type, "'" + word + "' is no type; a reference is written 'Class REF name'");
  }
  return ReadName(element.name, "a name");
}

Status Parser::ReadArraySuffix(TypedElement& element) {
  if (!At('[')) return {};
  element.array = true;
  LS_RETURN_IF_ERROR(Step());
  if (token_.kind == Kind::kNumber) {
    const auto size = token_.value.AsUnsigned();
    if (!size || *size == 0 || *size > kMaxElements) return Error("an array has a fixed size of 1 to 65536");
    element.array_size = static_cast<uint32_t>(*size);
    LS_RETURN_IF_ERROR(Step());
  }
  return Expect(']');
}

Status Parser::ReadFeature(ClassDecl& cls) {
  Qualifiers qualifiers;
  if (At('[')) LS_RETURN_IF_ERROR(ReadQualifiers(qualifiers));
  const MofToken at = token_;
  TypedElement element;
  LS_RETURN_IF_ERROR(ReadTypeAndName(element));
  element.qualifiers = std::move(qualifiers);
  if (cls.FindProperty(element.name) || cls.FindMethod(element.name))
    return lexer_.ErrorAt(at, fmt::format("{}.{} is declared twice", cls.name, element.name));
  if (At('(')) {
    auto method = std::make_shared<MethodDecl>();
    static_cast<TypedElement&>(*method) = std::move(element);
    method->is_static = method->qualifiers.Is("Static");
    ApplyEmbedding(*method);
    LS_RETURN_IF_ERROR(ReadParameters(*method));
    cls.methods.push_back(std::move(method));
  } else {
    auto property = std::make_shared<PropertyDecl>();
    static_cast<TypedElement&>(*property) = std::move(element);
    LS_RETURN_IF_ERROR(ReadArraySuffix(*property));
    property->key = property->qualifiers.Is("Key");
    ApplyEmbedding(*property);
    LS_RETURN_IF_ERROR(ReadDefault(*property));
    cls.properties.push_back(std::move(property));
  }
  return Expect(';');
}

Status Parser::ReadDefault(PropertyDecl& property) {
  property.default_value = Value::Null(property.type, property.array);
  if (!At('=')) return {};
  LS_RETURN_IF_ERROR(Step());
  const MofToken at = token_;
  Value literal;
  LS_RETURN_IF_ERROR(ReadValue(literal));
  if (property.type == CimType::kReference || property.type == CimType::kInstance) {
    if (literal.is_null()) return {};
    return lexer_.ErrorAt(at, "a default of a reference or embedded instance is refused");
  }
  if (literal.AsArray() && literal.AsArray()->empty()) literal = Value::ArrayOf(property.type, {});
  Result<Value> typed = literal.ConvertTo(property.type, property.array);
  if (!typed.ok()) return lexer_.ErrorAt(at, "default of '" + property.name + "': " + typed.status().message());
  property.default_value = *std::move(typed);
  return {};
}

Status Parser::ReadParameters(MethodDecl& method) {
  LS_RETURN_IF_ERROR(Expect('('));
  if (At(')')) return Step();
  while (true) {
    ParameterDecl parameter;
    const MofToken at = token_;
    if (At('[')) LS_RETURN_IF_ERROR(ReadQualifiers(parameter.qualifiers));
    LS_RETURN_IF_ERROR(ReadTypeAndName(parameter));
    LS_RETURN_IF_ERROR(ReadArraySuffix(parameter));
    const Value* in = parameter.qualifiers.Find("In");
    parameter.in = !in || in->AsBool().value_or(true);
    parameter.out = parameter.qualifiers.Is("Out");
    parameter.required = parameter.qualifiers.Is("Required");
    ApplyEmbedding(parameter);
    if (method.FindParameter(parameter.name))
      return lexer_.ErrorAt(at, "parameter '" + parameter.name + "' is declared twice");
    method.parameters.push_back(std::move(parameter));
    if (method.parameters.size() > 1024) return Error("more than 1024 parameters are refused");
    if (!At(',')) return Expect(')');
    LS_RETURN_IF_ERROR(Step());
  }
}

Status Parser::ReadScalar(Value& value) {
  if (token_.kind == Kind::kString) value = Value(std::move(token_.string));
  else if (token_.kind == Kind::kNumber || token_.kind == Kind::kChar) value = token_.value;
  else if (AtWord("true")) value = Value(true);
  else if (AtWord("false")) value = Value(false);
  else return Error("a value is expected here");
  return Step();
}

Status Parser::ReadValue(Value& value) {
  if (AtWord("null")) {
    value = Value();
    return Step();
  }
  if (!At('{')) return ReadScalar(value);
  const MofToken at = token_;
  Value::Elements elements;
  LS_RETURN_IF_ERROR(Step());
  while (!At('}')) {
    if (!elements.empty()) LS_RETURN_IF_ERROR(Expect(','));
    elements.emplace_back();
    LS_RETURN_IF_ERROR(ReadScalar(elements.back()));
    if (elements.size() > kMaxElements) return Error("an array of more than 65536 elements is refused");
  }
  Result<Value> array = MakeArray(std::move(elements));
  if (!array.ok()) return lexer_.ErrorAt(at, array.status().message());
  value = *std::move(array);
  return Step();
}

Status Parser::ReadInstanceValue(Value& value, int depth) {
  const bool array = At('{');
  if (array) {
    // Only looking further tells an array of instances from one of scalars.
    LS_RETURN_IF_ERROR(Step());
  }
  if (!array && !AtWord("instance")) return ReadValue(value);
  const MofToken at = token_;
  Value::Elements elements;
  while (!array || !At('}')) {
    if (!elements.empty()) LS_RETURN_IF_ERROR(Expect(','));
    elements.emplace_back();
    if (AtWord("instance")) {
      Instance inner;
      LS_RETURN_IF_ERROR(ReadInstance(inner, depth + 1));
      elements.back() = Value(std::move(inner));
    } else {
      LS_RETURN_IF_ERROR(ReadScalar(elements.back()));
    }
    if (elements.size() > kMaxElements) return Error("an array of more than 65536 elements is refused");
    if (!array) {
      value = std::move(elements.front());
      return {};
    }
  }
  Result<Value> made = MakeArray(std::move(elements));
  if (!made.ok()) return lexer_.ErrorAt(at, made.status().message());
  value = *std::move(made);
  return Step();
}

Status Parser::ReadInstance(Instance& instance, int depth) {
  if (depth > kMaxMofNesting) return Error("instances nested more than 8 deep are refused");
  if (!AtWord("instance")) return Error("'instance of' is expected here");
  LS_RETURN_IF_ERROR(Step());
  if (!AtWord("of")) return Error("'of' is expected here");
  LS_RETURN_IF_ERROR(Step());
  LS_RETURN_IF_ERROR(ReadName(instance.class_name, "a class name"));
  LS_RETURN_IF_ERROR(Expect('{'));
  while (!At('}')) {
    Qualifiers ignored;
    if (At('[')) LS_RETURN_IF_ERROR(ReadQualifiers(ignored));
    const MofToken at = token_;
    std::string name;
    LS_RETURN_IF_ERROR(ReadName(name, "a property's name"));
    if (instance.Find(name)) return lexer_.ErrorAt(at, "property '" + name + "' is given twice");
    if (instance.properties.size() >= 1024) return Error("an instance with more than 1024 properties is refused");
    LS_RETURN_IF_ERROR(Expect('='));
    Value value;
    LS_RETURN_IF_ERROR(ReadInstanceValue(value, depth));
    instance.Add(std::move(name), std::move(value));
    LS_RETURN_IF_ERROR(Expect(';'));
  }
  return Step();
}

}  // namespace

Result<std::vector<ClassDecl>> ParseMof(const MofText& mof, std::vector<QualifierDecl>* qualifiers) {
  if (!IsUtf8(mof.text)) return InvalidArgument(mof.name + " is not UTF-8");
  return Parser(mof.name, mof.text).ReadClasses(qualifiers);
}

Result<Instance> ParseMofInstance(std::string_view text) {
  if (!IsUtf8(text)) return InvalidArgument("the embedded instance is not UTF-8");
  return Parser("embedded instance", text).ReadOnlyInstance();
}

}  // namespace lockstep::wbem
