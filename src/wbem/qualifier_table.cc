#include "wbem/qualifier_table.h"

namespace lockstep::wbem {
namespace {

// In order: name, type, array, overridable, inherited, translatable.
constexpr QualifierType kQualifierTypes[] = {
    {"Association", CimType::kBoolean, false, false},
    {"Indication", CimType::kBoolean, false, false},
    {"Abstract", CimType::kBoolean, false, true, false},
    {"Aggregate", CimType::kBoolean, false, false},
    {"Aggregation", CimType::kBoolean, false, false},
    {"ArrayType", CimType::kString, false, false},
    {"BitMap", CimType::kString, true},
    {"BitValues", CimType::kString, true, true, true, true},
    {"ClassConstraint", CimType::kString, true},
    {"Composition", CimType::kBoolean, false, false},
    {"Correlatable", CimType::kString, true},
    {"Counter", CimType::kBoolean},
    {"Deprecated", CimType::kString, true, true, false},
    {"Description", CimType::kString, false, true, true, true},
    {"DisplayName", CimType::kString, false, true, true, true},
    {"DN", CimType::kBoolean, false, false},
    {"EmbeddedInstance", CimType::kString},
    {"EmbeddedObject", CimType::kBoolean, false, false},
    {"Exception", CimType::kBoolean, false, false},
    {"Experimental", CimType::kBoolean, false, true, false},
    {"Gauge", CimType::kBoolean},
    {"In", CimType::kBoolean, false, false},
    {"IsPUnit", CimType::kBoolean},
    {"Key", CimType::kBoolean, false, false},
    {"MappingStrings", CimType::kString, true},
    {"Max", CimType::kUint32},
    {"MaxLen", CimType::kUint32},
    {"MaxValue", CimType::kSint64},
    {"MethodConstraint", CimType::kString, true},
    {"Min", CimType::kUint32},
    {"MinLen", CimType::kUint32},
    {"MinValue", CimType::kSint64},
    {"ModelCorrespondence", CimType::kString, true},
    {"NullValue", CimType::kString, false, false},
    {"Octetstring", CimType::kBoolean, false, false},
    {"Out", CimType::kBoolean, false, false},
    {"Override", CimType::kString, false, true, false},
    {"Propagated", CimType::kString, false, false},
    {"PropertyConstraint", CimType::kString, true},
    {"PUnit", CimType::kString},
    {"Read", CimType::kBoolean},
    {"Reference", CimType::kString},
    {"Required", CimType::kBoolean, false, false},
    {"Revision", CimType::kString, false, true, true, true},
    {"Schema", CimType::kString, false, false, true, true},
    {"Static", CimType::kBoolean, false, false},
    {"Structure", CimType::kBoolean, false, false},
    {"Terminal", CimType::kBoolean},
    {"UMLPackagePath", CimType::kString},
    {"Units", CimType::kString, false, true, true, true},
    {"ValueMap", CimType::kString, true},
    {"Values", CimType::kString, true, true, true, true},
    {"Version", CimType::kString, false, true, false, true},
    {"Weak", CimType::kBoolean, false, false},
    {"Write", CimType::kBoolean},
    {"XMLNamespaceName", CimType::kString},
    {"Alias", CimType::kString, false, true, true, true},
    {"Delete", CimType::kBoolean},
    {"DisplayDescription", CimType::kString, false, true, true, true},
    {"Expensive", CimType::kBoolean},
    {"Ifdeleted", CimType::kBoolean},
    {"Invisible", CimType::kBoolean},
    {"Large", CimType::kBoolean},
    {"PropertyUsage", CimType::kString},
    {"Provider", CimType::kString},
    {"SyntaxType", CimType::kString},
    {"Syntax", CimType::kString},
    {"TriggerType", CimType::kString},
    {"UnknownValues", CimType::kString, true, false},
    {"UnsupportedValues", CimType::kString, true, false},
};

}  // namespace

const QualifierType* FindQualifierType(std::string_view name) {
  for (const QualifierType& q : kQualifierTypes)
    if (NameEquals(q.name, name)) return &q;
  return nullptr;
}

}  // namespace lockstep::wbem
