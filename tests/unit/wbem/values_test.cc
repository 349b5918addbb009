// Values, datetimes, paths: what they read is what they write, and nothing else is read.
#include <gtest/gtest.h>

#include "wbem/objects.h"

namespace lockstep::wbem {
namespace {

TEST(Values, NullEmptyAndEmptyArrayAreThreeDifferentThings) {
  EXPECT_TRUE(Value().is_null());
  EXPECT_FALSE(Value("").is_null());
  const Value empty = Value::Array(std::vector<std::string>{});
  EXPECT_FALSE(empty.is_null());
  EXPECT_TRUE(empty.AsArray()->empty());
  EXPECT_FALSE(Value() == Value(""));
  EXPECT_FALSE(Value::Null(CimType::kString, true) == empty);
}

TEST(Values, TakeTheCimTypeOfTheirCppType) {
  EXPECT_EQ(Value(uint16_t{3}).type(), CimType::kUint16);
  EXPECT_EQ(Value(int64_t{-3}).type(), CimType::kSint64);
  EXPECT_EQ(Value(std::optional<uint32_t>()).type(), CimType::kUint32);
  EXPECT_TRUE(Value(std::optional<uint32_t>()).is_null());
  EXPECT_EQ(Value("x").type(), CimType::kString);
  EXPECT_EQ(Value(true).type(), CimType::kBoolean);
}

TEST(Values, ConvertBetweenNumbersOnlyWhereNothingIsLost) {
  EXPECT_EQ(Value(300).ConvertTo(CimType::kUint16, false)->AsUnsigned(), 300u);
  EXPECT_FALSE(Value(300).ConvertTo(CimType::kUint8, false).ok());
  EXPECT_FALSE(Value(-1).ConvertTo(CimType::kUint64, false).ok());
  EXPECT_EQ(Value(int64_t{-128}).ConvertTo(CimType::kSint8, false)->AsSigned(), -128);
  EXPECT_FALSE(Value(int64_t{-129}).ConvertTo(CimType::kSint8, false).ok());
  EXPECT_FALSE(Value("3").ConvertTo(CimType::kUint8, false).ok());
  EXPECT_FALSE(Value(3).ConvertTo(CimType::kUint8, true).ok());
}

TEST(Values, ParseRefusesWhatIsOutOfRangeOrNotAllOfTheText) {
  EXPECT_EQ(Value::Parse(CimType::kUint64, "18446744073709551615")->AsUnsigned(), UINT64_MAX);
  EXPECT_EQ(Value::Parse(CimType::kSint64, "-9223372036854775808")->AsSigned(), INT64_MIN);
  EXPECT_EQ(Value::Parse(CimType::kUint8, "0xFf")->AsUnsigned(), 255u);
  EXPECT_EQ(Value::Parse(CimType::kBoolean, "tRUE")->AsBool(), true);
  for (const char* bad : {"", "256", "-1", "1x", " 1", "0x", "1.0"})
    EXPECT_FALSE(Value::Parse(CimType::kUint8, bad).ok()) << bad;
  EXPECT_FALSE(Value::Parse(CimType::kBoolean, "1").ok());
  EXPECT_FALSE(Value::Parse(CimType::kSint64, "9223372036854775808").ok());
}

TEST(Datetimes, RoundTripInBothForms) {
  for (const char* text : {"20261120235959.123456+060", "19700101000000.000000-720", "00000000000015.000000:000",
                           "99999999235959.999999:000", "20240229000000.000000+000", "202611202359**.******+000",
                           "20261120235959.12****+000"}) {
    const auto d = Datetime::Parse(text);
    ASSERT_TRUE(d.ok()) << text;
    EXPECT_EQ(d->ToString(), text);
  }
  EXPECT_EQ(Datetime::Parse("00000000000500.000000:000")->us(), 300'000'000);
  EXPECT_EQ(Datetime::Timestamp(0).ToString(), "19700101000000.000000+000");
  EXPECT_TRUE(*Datetime::Parse("20260101010000.000000+060") == *Datetime::Parse("20260101000000.000000+000"));
}

TEST(Datetimes, RefuseWhatIsNoDate) {
  for (const char* text : {"", "20261320000000.000000+000", "20260230000000.000000+000", "20261120240000.000000+000",
                           "20261120235959,123456+060", "00000000000015.000000:001", "2026112023595*.123456+060",
                           "20261120235959.123456 060", "0000000000001x.000000:000"})
    EXPECT_FALSE(Datetime::Parse(text).ok()) << text;
}

TEST(Paths, CompareWithoutHostCaseAndOrder) {
  ObjectPath a("root/x", "C", {{"A", Value("v")}, {"B", Value(uint8_t{1})}});
  ObjectPath b("/ROOT/x/", "c", {{"b", Value(uint64_t{1})}, {"a", Value("v")}});
  b.host = "elsewhere";
  EXPECT_TRUE(a.SameAs(b));
  EXPECT_EQ(a.CanonicalKey(), b.CanonicalKey());
  b.keys[1].value = Value("V");
  EXPECT_FALSE(a.SameAs(b));
  EXPECT_NE(a.CanonicalKey(), b.CanonicalKey());
}

TEST(Paths, OfAssociationsCompareTheirEnds) {
  const ObjectPath end("n", "E", {{"Id", Value("1")}});
  ObjectPath upper = end;
  upper.class_name = "e";
  upper.host = "h";
  EXPECT_TRUE(ObjectPath("n", "L", {{"R", Value(end)}}).SameAs(ObjectPath("n", "l", {{"r", Value(upper)}})));
}

TEST(Paths, TextRoundTrips) {
  const ObjectPath path("root/x", "C_d", {{"Name", Value("a\"b\\c,d=e")}, {"N", Value(uint16_t{7})}, {"T",
      Value(true)}});
  EXPECT_EQ(path.ToString(), "root/x:C_d.N=7,Name=\"a\\\"b\\\\c,d=e\",T=TRUE");
  EXPECT_TRUE(ObjectPath::Parse(path.ToString())->SameAs(path));
  EXPECT_EQ(ObjectPath::Parse("//host/ns:C.K=-1")->host, "host");
  EXPECT_EQ(ObjectPath::Parse("C")->class_name, "C");
}

TEST(Paths, RefuseTextThatIsNone) {
  for (const char* bad : {"", ":", "ns:", "C.", "C.k", "C.=1", "C.k=", "C.k=\"x", "C.k=\"x\"y", "C.k=1,", "C.k=1,K=2",
                          "//host", "a b", "C.k=x"})
    EXPECT_FALSE(ObjectPath::Parse(bad).ok()) << bad;
  EXPECT_FALSE(ObjectPath::Parse("C.k=\"" + std::string(70000, 'x') + "\"").ok());
}

}  // namespace
}  // namespace lockstep::wbem
