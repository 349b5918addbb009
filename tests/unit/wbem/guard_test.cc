// Roles and the record of changes, in the operation core: what each operation needs, and what is recorded of it.
#include <optional>
#include <string>
#include <vector>

#include "tests/unit/wbem/messages.h"
#include "wbem/gate.h"

namespace lockstep::wbem {
namespace {

using access::Role;

class Recorder final : public Guard {
 public:
  Role NeededRole(const ClassDecl& cls, std::string_view act) const override {
    if (act == "CountBooks") return Role::kMonitor;
    return cls.name == "Demo_Book" || act == "Lend" ? Role::kOperator : Role::kAdministrator;
  }
  void Record(const Deed& deed) override {
    records.push_back(fmt::format("{}@{} {} -> {}", access::RoleName(deed.caller.role), deed.caller.peer, deed.what,
                                  deed.result));
  }
  // The last record, which it forgets with all others; "" when there was not exactly one.
  std::string One() {
    const std::string one = records.size() == 1 ? records.front() : std::string();
    records.clear();
    return one;
  }

  std::vector<std::string> records;
};

class GuardTest : public Messages {
 protected:
  GuardTest()
      : users_({env_.files(), env_.executor(), env_.loop(), env_.random()}, "/users"),
        authenticator_({env_.executor(), env_.loop(), env_.clock(), env_.random(), env_.log()}, users_),
        core_(*server_.registry, &enumerations_, &guard_) {
    peer_ = "tcp:127.0.0.1:7";
  }
  // Everybody is one of these from now on.
  void Be(Role role) {
    gate_.emplace(authenticator_, role, "here");
    server_.endpoint = std::make_unique<CimXmlEndpoint>(core_, "demo.example", "Lockstep", &*gate_);
  }
  static std::string Book(const std::string& isbn, const std::string& pages) {
    return "<INSTANCE CLASSNAME=\"Demo_Book\"><PROPERTY NAME=\"Isbn\" TYPE=\"string\"><VALUE>" + isbn +
           "</VALUE></PROPERTY><PROPERTY NAME=\"Pages\" TYPE=\"uint32\"><VALUE>" + pages +
           "</VALUE></PROPERTY></INSTANCE>";
  }
  static std::string Named(const std::string& instance) {
    return "<VALUE.NAMEDINSTANCE>" + kBook1 + instance + "</VALUE.NAMEDINSTANCE>";
  }

  Recorder guard_;
  access::Users users_;
  access::Authenticator authenticator_;
  OperationCore core_;
  std::optional<Gate> gate_;
};

TEST_F(GuardTest, WhoReadsNeedsNoRoleAndLeavesNoRecord) {
  Be(Role::kMonitor);
  EXPECT_EQ(ErrorOf(Call("GetInstance", Parameter("InstanceName", kBook1))), 0);
  EXPECT_EQ(ErrorOf(Call("EnumerateInstances", ClassParameter("ClassName", "Demo_Item"))), 0);
  EXPECT_EQ(ErrorOf(Call("Associators", Parameter("ObjectName", kBook1))), 0);
  EXPECT_EQ(ErrorOf(Call("EnumerateClasses", "")), 0);
  EXPECT_EQ(ErrorOf(Call("OpenEnumerateInstances", ClassParameter("ClassName", "Demo_Item"))), 0);
  EXPECT_EQ(ErrorOf(Invoke("COUNTBOOKS", kAda, "")), 0);
  EXPECT_TRUE(guard_.records.empty()) << guard_.records.front();
}

TEST_F(GuardTest, NothingIsChangedWithoutTheRole) {
  struct Case {
    const char* operation;
    std::string parameters;
    Role needed;
  };
  const std::string qualifier = Parameter(
      "QualifierDeclaration", "<QUALIFIER.DECLARATION NAME=\"New\" TYPE=\"string\"></QUALIFIER.DECLARATION>");
  const Case cases[] = {
      {"CreateInstance", Parameter("NewInstance", Book("88", "5")), Role::kOperator},
      {"ModifyInstance", Parameter("ModifiedInstance", Named(Book("1", "5"))), Role::kOperator},
      {"SetProperty",
       Parameter("InstanceName", kBook1) + Parameter("PropertyName", Text("Pages")) + Parameter("NewValue", Text("5")),
       Role::kOperator},
      {"DeleteInstance", Parameter("InstanceName", kBook1), Role::kOperator},
      {"CreateClass", Parameter("NewClass", "<CLASS NAME=\"Demo_New\"></CLASS>"), Role::kAdministrator},
      {"ModifyClass", Parameter("ModifiedClass", "<CLASS NAME=\"Demo_Book\"></CLASS>"), Role::kAdministrator},
      {"DeleteClass", ClassParameter("ClassName", "Demo_Book"), Role::kAdministrator},
      {"SetQualifier", qualifier, Role::kAdministrator},
      {"DeleteQualifier", Parameter("QualifierName", Text("Key")), Role::kAdministrator},
  };
  const auto before = server_.books.at("1").pages;
  for (const Role role : {Role::kMonitor, Role::kOperator}) {
    Be(role);
    for (const Case& c : cases) {
      if (access::Allows(role, c.needed)) continue;
      EXPECT_EQ(ErrorOf(Call(c.operation, c.parameters)), 2) << c.operation;
      const std::string record = guard_.One();
      EXPECT_TRUE(record.starts_with(fmt::format("{}@tcp:127.0.0.1:7 ", access::RoleName(role)))) << record;
      EXPECT_TRUE(Has(record, fmt::format("-> CIM_ERR_ACCESS_DENIED: {} needs the role {}; an anonymous caller has",
                                          c.operation == std::string("SetProperty") ? "ModifyInstance" : c.operation,
                                          access::RoleName(c.needed))))
          << record;
    }
    if (role == Role::kMonitor) {
      EXPECT_EQ(ErrorOf(Invoke("lend", kAda, "")), 2);
    }
    guard_.records.clear();
  }
  EXPECT_EQ(server_.books.at("1").pages, before);
  EXPECT_FALSE(server_.books.contains("88"));
}

TEST_F(GuardTest, TheRecordSaysWhatWasAskedForAndHowItEnded) {
  Be(Role::kOperator);
  EXPECT_EQ(ErrorOf(Call("CreateInstance", Parameter("NewInstance", Book("88", "5")))), 0);
  EXPECT_EQ(guard_.One(),
            "operator@tcp:127.0.0.1:7 CreateInstance of root/demo:Demo_Book with Isbn=88, Pages=5 -> ok");
  EXPECT_NE(ErrorOf(Call("CreateInstance", Parameter("NewInstance", Book("88", "5")))), 0);
  EXPECT_TRUE(Has(guard_.One(), " -> CIM_ERR_ALREADY_EXISTS: "));
  EXPECT_EQ(ErrorOf(Call("ModifyInstance", Parameter("ModifiedInstance", Named(Book("1", "6"))))), 0);
  EXPECT_EQ(guard_.One(),
            "operator@tcp:127.0.0.1:7 ModifyInstance of root/demo:Demo_Book.Isbn=\"1\" with Isbn=1, Pages=6 -> ok");
  EXPECT_EQ(ErrorOf(Call("SetProperty", Parameter("InstanceName", kBook1) + Parameter("PropertyName", Text("Pages")) +
                                            Parameter("NewValue", Text("7")))),
            0);
  EXPECT_EQ(guard_.One(),
            "operator@tcp:127.0.0.1:7 ModifyInstance of root/demo:Demo_Book.Isbn=\"1\" with Pages=7 -> ok");
  EXPECT_EQ(ErrorOf(Invoke("lend", kAda,
                           "<PARAMVALUE NAME=\"Days\"><VALUE>3</VALUE></PARAMVALUE><PARAMVALUE NAME=\"Item\" "
                           "PARAMTYPE=\"reference\"><VALUE.REFERENCE>" + kBook1 + "</VALUE.REFERENCE></PARAMVALUE>")),
            0);
  EXPECT_EQ(guard_.One(), "operator@tcp:127.0.0.1:7 lend of root/demo:Demo_Librarian.Name=\"Ada\" with Days=3, "
                          "Item=Demo_Book.Isbn=\"1\" -> returned 0");
}

TEST(Describe, KeepsSecretsAndIsBounded) {
  OperationRequest request = RequestFor(Operation::kInvokeMethod);
  request.name = "Set";
  request.target = ObjectPath("root/x", "C", {{"K", Value("k")}});
  Instance inner("Inner");
  inner.Add("Depth", Value(2)).Add("CHAPSecret", Value("hidden"));
  request.arguments = {{"Password", Value("hidden"), true},
                       {"Nothing", Value(), true},
                       {"Names", Value::Array(std::vector<std::string>{"a", "b"}), true},
                       {"Settings", Value(inner), true}};
  EXPECT_EQ(Describe(request), "Set of root/x:C.K=\"k\" with Password=(not shown), Nothing=NULL, Names=[a, b], "
                               "Settings=Inner{Depth=2, CHAPSecret=(not shown)}");
  request.arguments = {{"Many", Value::Array(std::vector<std::string>(1000, "x")), true},
                       {"Long", Value(std::string(1'000'000, 'y')), true},
                       {"Never", Value("seen"), true}};
  const std::string text = Describe(request);
  EXPECT_LT(text.size(), 5000u);
  EXPECT_NE(text.find("x, x, ...]"), std::string::npos);
  EXPECT_EQ(text.find("Never"), std::string::npos);
}

}  // namespace
}  // namespace lockstep::wbem
