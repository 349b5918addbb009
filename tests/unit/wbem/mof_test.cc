// MOF text becomes class declarations, with inheritance resolved, or an error with its place.
#include <gtest/gtest.h>

#include "tests/unit/wbem/demo/demo_model.h"
#include "wbem/mof.h"

namespace lockstep::wbem {
namespace {

Status Load(const std::string& text) {
  Schema schema;
  const MofText texts[] = {{"t.mof", text}};
  return schema.Load("n", texts);
}

class DemoSchema : public testing::Test {
 protected:
  const ClassDecl& Class(const char* name) { return *server_.schema.Find(demo::kNamespace, name); }
  demo::DemoServer server_;
};

TEST_F(DemoSchema, InheritedFeaturesComeFirstAndKeepTheirOrigin) {
  const ClassDecl& atlas = Class("demo_ATLAS");
  EXPECT_EQ(atlas.properties.front()->name, "ElementName");
  EXPECT_EQ(atlas.properties.back()->name, "Scale");
  EXPECT_EQ(atlas.FindProperty("elementname")->origin, "Demo_Element");
  EXPECT_EQ(atlas.FindProperty("ElementName")->declared_in, "Demo_Item");
  EXPECT_NE(atlas.FindMethod("Remove"), nullptr);
  EXPECT_EQ(atlas.KeyNames(), std::vector<std::string>{"Isbn"});
}

TEST_F(DemoSchema, QualifiersAreInheritedUnlessRestricted) {
  EXPECT_TRUE(Class("Demo_Element").abstract);
  EXPECT_FALSE(Class("Demo_Shelf").abstract);
  EXPECT_EQ(Class("Demo_Shelf").qualifiers.Find("Version"), nullptr);
  EXPECT_EQ(*Class("Demo_Book").FindProperty("ElementName")->qualifiers.Find("Description")->AsString(),
            "What people call it. <&\"'>");
}

TEST_F(DemoSchema, TypesDefaultsAndEmbeddingAreAsDeclared) {
  EXPECT_EQ(Class("Demo_Shelf").FindProperty("Width")->default_value.AsUnsigned(), 80u);
  EXPECT_EQ(Class("Demo_Book").FindProperty("Balance")->default_value.AsSigned(), -5);
  EXPECT_EQ(Class("Demo_Book").FindProperty("LastLoan")->type, CimType::kInstance);
  EXPECT_EQ(Class("Demo_Book").FindProperty("LastLoan")->object_class, "Demo_Loan");
  EXPECT_TRUE(Class("Demo_Librarian").FindProperty("Anything")->object_class.empty());
  const MethodDecl& lend = *Class("Demo_Librarian").FindMethod("LEND");
  EXPECT_FALSE(lend.FindParameter("Due")->in);
  EXPECT_TRUE(lend.FindParameter("Item")->required);
  EXPECT_EQ(lend.FindParameter("Item")->object_class, "Demo_Item");
}

TEST_F(DemoSchema, KnowsItsHierarchy) {
  EXPECT_TRUE(server_.schema.IsA(demo::kNamespace, "Demo_Atlas", "Demo_Item"));
  EXPECT_FALSE(server_.schema.IsA(demo::kNamespace, "Demo_Item", "Demo_Atlas"));
  EXPECT_EQ(server_.schema.Subclasses("ROOT/demo", "Demo_Item", true).size(), 2u);
  EXPECT_EQ(server_.schema.Subclasses("root/demo", "Demo_Item", false).size(), 1u);
}

TEST(Mof, ErrorsNameFileLineAndColumn) {
  EXPECT_EQ(Load("class A {\n  strin x;\n};").message(),
            "t.mof:2:3: 'strin' is no type; a reference is written 'Class REF name'");
  EXPECT_EQ(Load("class A { [Key] string K; } class").message(), "t.mof:1:29: ';' is expected here");
}

TEST(Mof, RefusesWhatMakesNoSense) {
  for (const char* bad : {
           "class A : B {};", "class A : A {};", "class A : B {}; class B : A {};", "class A {}; class a {};",
           "class A { string x; uint8 X; };", "class A { uint8 x = 256; };", "class A { uint8 x[] = 1; };",
           "class A { uint8 x; }; class B : A { string x; };", "class A { B REF r; };",
           "class A { [EmbeddedInstance(\"B\")] string s; };", "class A { string s = \"x; };", "class A { /* };",
           "class A { [Key, Key] string s; };", "class A { [Key(\"x\")] string s; };",
               "class A { uint8 m(string a, string A); };",
           "instance of A {};", "class A { char16 c = 'ab'; };", "class A { string s = \"\\q\"; };", "class A",
           "class A { uint64 u = 18446744073709551616; };", "\x01", "class A { string s = \"\xff\"; };"})
    EXPECT_FALSE(Load(bad).ok()) << bad;
  EXPECT_TRUE(Load("").ok());
}

TEST(Mof, NothingIsAddedWhenOneTextIsWrong) {
  Schema schema;
  const MofText texts[] = {{"good.mof", "class A {};"}, {"bad.mof", "class B : Missing {};"}};
  EXPECT_FALSE(schema.Load("n", texts).ok());
  EXPECT_FALSE(schema.HasNamespace("n"));
}

TEST(MofInstances, AreReadWithNestingArraysAndEscapes) {
  const auto i = ParseMofInstance(
      "INSTANCE OF Demo_Loan { Reader = \"a\" \"\\\"b\\x263a\\n\"; Days = 0x10; L = {1, -2}; E = {}; N = NULL; T = "
          "true;\n"
      "Previous = instance of Demo_Loan { Days = 3; }; A = {instance of X {}}; };");
  ASSERT_TRUE(i.ok()) << i.status().ToString();
  EXPECT_EQ(*(*i)["Reader"].AsString(), "a\"b☺\n");
  EXPECT_EQ((*i)["Days"].AsUnsigned(), 16u);
  EXPECT_EQ((*i)["L"].AsArray()->at(1).AsSigned(), -2);
  EXPECT_TRUE((*i)["N"].is_null());
  EXPECT_EQ((*(*i)["Previous"].AsInstance())["Days"].AsUnsigned(), 3u);
  EXPECT_EQ((*i)["A"].AsArray()->size(), 1u);
}

TEST(MofInstances, NestedTooDeepAreRefused) {
  std::string text;
  for (int i = 0; i < 100000; ++i) text += "instance of A { x = ";
  EXPECT_FALSE(ParseMofInstance(text).ok());
}

}  // namespace
}  // namespace lockstep::wbem
