// The text around an instance's values, made once for each class: names, types and attributes never change, and writing
// them anew for each of ten thousand instances is most of the work.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "wbem/schema.h"

namespace lockstep::wbem {

struct PropertyTemplate {
  std::string open;    // <PROPERTY NAME=".." TYPE="..">, with CLASSORIGIN where that is asked for
  std::string close;   // </PROPERTY>
  std::string null;    // both
  bool scalar = true;  // VALUE's tags are in them too
  bool plain = true;   // not an embedded instance, whose attributes depend on the value
};

struct ClassTemplate {
  std::string open;  // <INSTANCE CLASSNAME="..">
  std::vector<PropertyTemplate> properties;  // as ClassDecl::properties
  std::string name_open;                     // <INSTANCENAME CLASSNAME="..">
  struct Key {
    const PropertyDecl* declared;
    std::string open;   // up to the value
    std::string close;
  };
  std::vector<Key> keys;  // in the class's order; those that are references have no text
};

// Grows to at most two templates for each class of a schema, which outlives it. One loop.
class CimXmlTemplates {
 public:
  const ClassTemplate& For(const ClassDecl& cls, bool with_class_origin);

 private:
  std::unordered_map<const ClassDecl*, std::unique_ptr<ClassTemplate>> plain_, with_origin_;
};

// INSTANCE and INSTANCENAME by a template.
struct InstanceView;
void AppendByTemplate(std::string& out, const ClassTemplate& form, const InstanceView& instance,
                      bool with_class_origin);
void AppendNameByTemplate(std::string& out, const ClassTemplate& form, const InstanceView& instance);

}  // namespace lockstep::wbem
