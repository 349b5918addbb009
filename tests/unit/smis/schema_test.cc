// Our MOF against the DMTF's: every CIM_ class that we declare has the names, types, keys, value maps, qualifiers and
// method signatures of the standard. The DMTF's files are not part of this project: they are looked for in the
// directory named by LOCKSTEP_CIM_SCHEMA, or beside the sources in ../shared/cim-schema; where they are missing the
// test is skipped with a loud line.
#include <filesystem>
#include <set>

#include <fmt/format.h>

#include "tests/unit/smis/fixture.h"
#include "wbem/mof.h"

namespace lockstep::smis {
namespace {

std::string Text(const wbem::Qualifiers& qualifiers, const char* name) {
  const Value* value = qualifiers.Find(name);
  std::string text;
  if (!value || !value->AsArray()) return text;
  for (const Value& element : *value->AsArray()) text += element.ToText() + ";";
  return text;
}

// What people read and not programs: written by ourselves, or left out.
bool IsForPeople(const std::string& name) {
  for (const char* one : {"Description", "ModelCorrespondence", "MappingStrings", "UMLPackagePath", "ClassConstraint",
                          "MethodConstraint", "PropertyConstraint"}) {
    if (wbem::NameEquals(name, one)) return true;
  }
  return false;
}

// One qualifier as text; FALSE is as good as none, In is TRUE unless it says otherwise.
std::string Shown(const wbem::Qualifiers& qualifiers, const std::string& name) {
  const Value* value = qualifiers.Find(name);
  if (wbem::NameEquals(name, "In") && !value) return "TRUE";
  if (!value || value->AsBool() == false) return wbem::NameEquals(name, "In") ? "FALSE" : "";
  if (!value->AsArray()) return value->ToText();
  return Text(qualifiers, name.c_str());
}

// Both ways: nothing is left out, nothing is added.
void CompareQualifiers(const std::string& where, const wbem::Qualifiers& ours, const wbem::Qualifiers& theirs) {
  std::set<std::string> names;
  for (const wbem::Qualifiers* side : {&ours, &theirs}) {
    for (const wbem::Qualifier& one : side->list) names.insert(one.name);
  }
  for (const std::string& name : names) {
    if (IsForPeople(name)) continue;
    EXPECT_EQ(Shown(ours, name), Shown(theirs, name)) << where << ": " << name;
  }
}

void Compare(const std::string& where, const wbem::TypedElement& ours, const wbem::TypedElement& theirs) {
  EXPECT_EQ(ours.name, theirs.name) << where;
  EXPECT_EQ(ours.type, theirs.type) << where;
  EXPECT_EQ(ours.array, theirs.array) << where;
  EXPECT_EQ(ours.object_class, theirs.object_class) << where;
  CompareQualifiers(where, ours.qualifiers, theirs.qualifiers);
}

void CompareMethods(const wbem::ClassDecl& ours, const wbem::ClassDecl& theirs) {
  for (const auto& method : ours.methods) {
    const std::string where = ours.name + "." + method->name;
    const wbem::MethodDecl* standard = theirs.FindMethod(method->name);
    ASSERT_NE(standard, nullptr) << where;
    Compare(where, *method, *standard);
    ASSERT_EQ(method->parameters.size(), standard->parameters.size()) << where;
    for (size_t i = 0; i < method->parameters.size(); ++i) {
      const std::string parameter = where + "." + method->parameters[i].name;
      Compare(parameter, method->parameters[i], standard->parameters[i]);
      EXPECT_EQ(method->parameters[i].in, standard->parameters[i].in) << parameter;
      EXPECT_EQ(method->parameters[i].out, standard->parameters[i].out) << parameter;
    }
  }
}

void CompareClasses(const wbem::ClassDecl& ours, const wbem::ClassDecl& theirs) {
  EXPECT_EQ(ours.superclass, theirs.superclass) << ours.name;
  EXPECT_EQ(ours.association, theirs.association) << ours.name;
  EXPECT_EQ(ours.abstract, theirs.abstract) << ours.name;
  EXPECT_EQ(ours.indication, theirs.indication) << ours.name;
  EXPECT_EQ(ours.KeyNames(), theirs.KeyNames()) << ours.name;
  CompareQualifiers(ours.name, ours.qualifiers, theirs.qualifiers);
  for (const auto& property : ours.properties) {
    const std::string where = ours.name + "." + property->name;
    const wbem::PropertyDecl* standard = theirs.FindProperty(property->name);
    ASSERT_NE(standard, nullptr) << where;
    Compare(where, *property, *standard);
    EXPECT_TRUE(property->default_value == standard->default_value) << where;
  }
  CompareMethods(ours, theirs);
}

TEST(SchemaTest, OurClassesAreThoseOfTheStandard) {
  const char* named = std::getenv("LOCKSTEP_CIM_SCHEMA");
  const std::filesystem::path directory = named ? named : LOCKSTEP_SOURCE_DIR "/../shared/cim-schema";
  if (!std::filesystem::is_directory(directory)) {
    GTEST_SKIP() << "NOT COMPARED WITH THE STANDARD: there is no CIM schema in " << directory
                 << "; name its directory in LOCKSTEP_CIM_SCHEMA";
  }
  std::map<std::string, std::string> standard;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
    standard[entry.path().stem().string()] = entry.path().string();
  }
  size_t compared = 0;
  for (std::string_view file : MofFiles(kStorageNamespace)) {
    Result<std::string> text = ReadSchemaFile(file);
    ASSERT_TRUE(text.ok());
    Result<std::vector<wbem::ClassDecl>> classes = wbem::ParseMof({std::string(file), *text});
    ASSERT_TRUE(classes.ok()) << classes.status().message();
    for (const wbem::ClassDecl& ours : *classes) {
      if (!ours.name.starts_with("CIM_")) continue;
      ASSERT_TRUE(standard.contains(ours.name)) << ours.name;
      Result<std::string> their_text = ReadText(standard[ours.name]);
      ASSERT_TRUE(their_text.ok());
      Result<std::vector<wbem::ClassDecl>> theirs = wbem::ParseMof({ours.name, *their_text});
      ASSERT_TRUE(theirs.ok()) << theirs.status().message();
      ASSERT_EQ(theirs->size(), 1u);
      CompareClasses(ours, theirs->front());
      ++compared;
    }
  }
  EXPECT_GT(compared, 60u);
}

TEST(SchemaTest, TheReplicationClassesDeclareEveryMethod) {
  wbem::Schema schema;
  ASSERT_TRUE(LoadSchema(schema, ReadSchemaFile).ok());
  size_t own = 0;
  for (const auto& method : schema.Find(kStorageNamespace, "CIM_ReplicationService")->methods) {
    own += method->origin == "CIM_ReplicationService";
  }
  EXPECT_EQ(own, 29u);
  EXPECT_EQ(schema.Find(kStorageNamespace, "CIM_ReplicationServiceCapabilities")->methods.size(), 26u);
}

}  // namespace
}  // namespace lockstep::smis
