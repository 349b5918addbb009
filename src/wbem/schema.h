// Class declarations, by namespace, with inheritance resolved. Loaded once at start from MOF text (mof.h reads it) and
// then immutable: pointers to declarations stay valid as long as the Schema, and any thread may read it.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/status.h"
#include "wbem/objects.h"

namespace lockstep::wbem {

struct Qualifier {
  std::string name;
  Value value;
  bool overridable = true;    // flavor EnableOverride
  bool to_subclass = true;    // flavor ToSubclass: inherited
  bool translatable = false;  // flavor Translatable
};

struct Qualifiers {
  std::vector<Qualifier> list;
  // nullptr when it is not there.
  const Value* Find(std::string_view name) const;
  // A boolean qualifier that is there and TRUE.
  bool Is(std::string_view name) const;
};

// A qualifier declaration (DSP0004 7.8): what a schema says of a qualifier before it is used.
struct QualifierDecl {
  // Where it may stand.
  enum Scope : uint8_t {
    kClass = 1, kAssociation = 2, kReference = 4, kProperty = 8, kMethod = 16, kParameter = 32, kIndication = 64,
    kAny = 127,
  };
  std::string name;
  CimType type = CimType::kBoolean;
  bool array = false;
  std::optional<uint32_t> array_size;
  Value default_value;
  uint8_t scope = 0;
  bool overridable = true;
  bool to_subclass = true;
  bool translatable = false;
};

// What a property, a parameter and a method's result have in common.
struct TypedElement {
  std::string name;
  CimType type = CimType::kString;
  bool array = false;
  std::optional<uint32_t> array_size;  // a fixed one
  std::string object_class;            // kReference: its class. kInstance: the class that EmbeddedInstance names, or
                                       // empty for EmbeddedObject (any class)
  Qualifiers qualifiers;
};

// Turns a string whose qualifiers say EmbeddedInstance or EmbeddedObject into a kInstance.
void ApplyEmbedding(TypedElement& element);

struct PropertyDecl : TypedElement {
  Value default_value;      // of `type`; NULL when none is declared
  bool key = false;
  std::string origin;       // the class that first declared it (CLASSORIGIN)
  std::string declared_in;  // the class that declared it last; other than the class at hand: inherited (PROPAGATED)
};

struct ParameterDecl : TypedElement {
  bool in = true;
  bool out = false;
  bool required = false;
};

struct MethodDecl : TypedElement {  // `type` is the type of the result
  std::vector<ParameterDecl> parameters;
  bool is_static = false;
  std::string origin;
  std::string declared_in;
  const ParameterDecl* FindParameter(std::string_view parameter) const;
};

// A class as declared, or (in a Schema) with everything that it inherits: inherited features come first.
struct ClassDecl {
  std::string name;
  std::string superclass;  // empty for a root
  Qualifiers qualifiers;
  std::vector<std::shared_ptr<const PropertyDecl>> properties;
  std::vector<std::shared_ptr<const MethodDecl>> methods;
  bool association = false;
  bool abstract = false;
  bool indication = false;

  const PropertyDecl* FindProperty(std::string_view property) const;
  const MethodDecl* FindMethod(std::string_view method) const;
  // Names of the keys, in order of declaration.
  std::vector<std::string> KeyNames() const;
};

// A MOF file's content; `name` is for error messages.
struct MofText {
  std::string name;
  std::string text;
};

class Schema {
 public:
  Schema();
  ~Schema();
  Schema(Schema&&) noexcept;
  Schema& operator=(Schema&&) noexcept;

  // Adds the classes of all texts to the namespace (made if new). A class may be declared in any order relative to its
  // superclass within one call. On an error, which names file, line and column, nothing has been added. Refused:
  // a class declared twice, a missing superclass, a cycle, an override of another type, a reference to or an embedded
  // instance of a class that is not declared. A qualifier declared again takes the place of its first declaration.
  Status Load(std::string_view ns, std::span<const MofText> texts);

  // The namespaces as first spelled, sorted without case.
  std::vector<std::string> Namespaces() const;
  bool HasNamespace(std::string_view ns) const;
  // nullptr when either is unknown.
  const ClassDecl* Find(std::string_view ns, std::string_view class_name) const;
  // Direct subclasses (or roots, when class_name is empty), or with `deep` all below; by name. Never the class itself.
  std::vector<const ClassDecl*> Subclasses(std::string_view ns, std::string_view class_name, bool deep) const;
  // The qualifier declarations of a namespace, by name. nullptr when there is none of that name.
  std::vector<const QualifierDecl*> QualifierDecls(std::string_view ns) const;
  const QualifierDecl* FindQualifierDecl(std::string_view ns, std::string_view name) const;
  // True when `derived` is `base` or inherits from it.
  bool IsA(std::string_view ns, std::string_view derived, std::string_view base) const;

 private:
  struct Namespace;
  const Namespace* FindNamespace(std::string_view ns) const;
  std::map<std::string, std::unique_ptr<Namespace>, NameOrder> namespaces_;
};

}  // namespace lockstep::wbem
