// The operations beyond reading and changing single instances: open, pull and close; queries; classes and qualifiers;
// every option of the table; errors with their instances.
#include "tests/unit/wbem/messages.h"

#include <fstream>

namespace lockstep::wbem {
namespace {

class Operations : public Messages {
 protected:
  static size_t Count(const std::string& text, const std::string& part) {
    size_t n = 0;
    for (size_t at = text.find(part); at != text.npos; at = text.find(part, at + 1)) ++n;
    return n;
  }
  static std::string Number(const std::string& name, unsigned n) { return Parameter(name, Text(std::to_string(n))); }
  static std::string Flag(const std::string& name, bool on) { return Parameter(name, Text(on ? "TRUE" : "FALSE")); }
  // The context of a reply; empty at the end of the sequence.
  static std::string Context(const std::string& content) {
    const std::string mark = "<PARAMVALUE NAME=\"EnumerationContext\" PARAMTYPE=\"string\"><VALUE>";
    const size_t at = content.find(mark);
    EXPECT_NE(at == content.npos, Has(content, "<PARAMVALUE NAME=\"EndOfSequence\" PARAMTYPE=\"boolean\"><VALUE>FALSE"))
        << content;
    if (at == content.npos) return "";
    const size_t from = at + mark.size();
    return content.substr(from, content.find('<', from) - from);
  }
  std::string Pull(const std::string& context, unsigned most, const std::string& how = "PullInstancesWithPath") {
    return Call(how, Parameter("EnumerationContext", Text(context)) + Number("MaxObjectCount", most));
  }
  std::string OpenBooks(const std::string& more = "") {
    return Call("OpenEnumerateInstances", ClassParameter("ClassName", "Demo_Item") + more);
  }
  static inline const std::string kShelfA =
      "<INSTANCENAME CLASSNAME=\"Demo_Shelf\"><KEYBINDING NAME=\"Id\"><KEYVALUE VALUETYPE=\"string\">A</KEYVALUE>"
      "</KEYBINDING></INSTANCENAME>";
};

TEST_F(Operations, OpenAndPullGiveWhatEnumerateGives) {
  const std::string opened = OpenBooks();
  EXPECT_TRUE(opened.starts_with("<IRETURNVALUE></IRETURNVALUE><PARAMVALUE NAME=\"EnumerationContext\"")) << opened;
  std::string context = Context(opened);
  ASSERT_NE(context, "");
  const std::string first = Pull(context, 2);
  EXPECT_EQ(Count(first, "<VALUE.INSTANCEWITHPATH><INSTANCEPATH><NAMESPACEPATH><HOST>demo.example</HOST>"), 2u);
  EXPECT_EQ(Context(first), context);
  const std::string second = Pull(context, 2);
  EXPECT_EQ(Count(second, "<VALUE.INSTANCEWITHPATH>"), 1u);
  EXPECT_EQ(Context(second), "");
  EXPECT_EQ(ErrorOf(Pull(context, 2)), 21);
  EXPECT_EQ(enumerations_.open(), 0u);
  // All at once needs no context.
  EXPECT_EQ(Context(OpenBooks(Number("MaxObjectCount", 3))), "");
}

TEST_F(Operations, EveryOpenOperationHasItsPull) {
  struct Case {
    const char* open;
    std::string parameters;
    const char* pull;
    size_t objects;
    const char* element;
  };
  const Case cases[] = {
      {"OpenEnumerateInstancePaths", ClassParameter("ClassName", "Demo_Element"), "PullInstancePaths", 6,
       "<INSTANCEPATH>"},
      {"OpenAssociatorInstances", Parameter("InstanceName", kShelfA), "PullInstancesWithPath", 2,
       "<VALUE.INSTANCEWITHPATH>"},
      {"OpenAssociatorInstancePaths", Parameter("InstanceName", kShelfA) + ClassParameter("AssocClass", "Demo_Holds"),
       "PullInstancePaths", 2, "<INSTANCEPATH>"},
      {"OpenReferenceInstances", Parameter("InstanceName", kShelfA) + Parameter("Role", Text("Shelf")),
       "PullInstancesWithPath", 2, "<VALUE.INSTANCEWITHPATH>"},
      {"OpenReferenceInstancePaths", Parameter("InstanceName", kShelfA), "PullInstancePaths", 2, "<INSTANCEPATH>"},
      {"OpenQueryInstances", Parameter("FilterQueryLanguage", Text("DMTF:CQL")) +
                                 Parameter("FilterQuery", Text("SELECT Isbn FROM Demo_Book WHERE Pages &gt; 150")),
       "PullInstances", 2, "<INSTANCE CLASSNAME=\"Demo_Book\"><PROPERTY NAME=\"Isbn\""}};
  for (const Case& c : cases) {
    SCOPED_TRACE(c.open);
    std::string content = Call(c.open, c.parameters + Number("MaxObjectCount", 1));
    size_t objects = Count(content, c.element);
    std::string wrong = std::string(c.pull) == "PullInstances" ? "PullInstancePaths" : "PullInstances";
    EXPECT_EQ(ErrorOf(Pull(Context(content), 1, wrong)), 21);
    for (std::string context = Context(content); !context.empty(); context = Context(content)) {
      content = Pull(context, 1, c.pull);
      ASSERT_EQ(ErrorOf(content), 0) << content;
      objects += Count(content, c.element);
    }
    EXPECT_EQ(objects, c.objects);
  }
}

TEST_F(Operations, FiltersNarrowWhatIsPulled) {
  const auto filtered = [&](const std::string& language, const std::string& filter) {
    return OpenBooks(Number("MaxObjectCount", 10) + Parameter("FilterQueryLanguage", Text(language)) +
                     Parameter("FilterQuery", Text(filter)));
  };
  EXPECT_EQ(Count(filtered("DMTF:FQL", "Pages &gt; 100 AND ANY Authors = 'X'"), "<VALUE.INSTANCEWITHPATH>"), 1u);
  EXPECT_EQ(Count(filtered("WQL", "SELECT * FROM Demo_Book WHERE Pages &lt;= 200"), "<VALUE.INSTANCEWITHPATH>"), 2u);
  EXPECT_EQ(ErrorOf(filtered("XPath", "//x")), 14);
  EXPECT_EQ(ErrorOf(filtered("DMTF:FQL", "Pages &gt;")), 15);
  EXPECT_EQ(ErrorOf(filtered("DMTF:FQL", "Nope = 1")), 15);
  EXPECT_EQ(ErrorOf(OpenBooks(Parameter("FilterQuery", Text("Pages = 1")))), 4);
  const std::string paths = Call("OpenEnumerateInstancePaths",
                                 ClassParameter("ClassName", "Demo_Book") + Number("MaxObjectCount", 10) +
                                     Parameter("FilterQueryLanguage", Text("DMTF:FQL")) +
                                     Parameter("FilterQuery", Text("Pages = 200")));
  EXPECT_EQ(Count(paths, "<INSTANCEPATH>"), 1u);
  const std::string associated = Call("OpenAssociatorInstancePaths",
                                      Parameter("InstanceName", kShelfA) + Number("MaxObjectCount", 10) +
                                          Parameter("FilterQueryLanguage", Text("DMTF:FQL")) +
                                          Parameter("FilterQuery", Text("Pages = 200")));
  EXPECT_EQ(Count(associated, "<INSTANCEPATH>"), 1u) << associated;
}

TEST_F(Operations, EnumerationsEndByThemselvesAndByCloseAndOnlyOnce) {
  const std::string left = Context(OpenBooks(Number("OperationTimeout", 5)));
  const std::string kept = Context(OpenBooks(Number("OperationTimeout", 600)));
  env_.loop().RunFor(std::chrono::seconds(4));
  EXPECT_EQ(ErrorOf(Pull(left, 1)), 0);  // each pull begins the time anew
  env_.loop().RunFor(std::chrono::seconds(4));
  EXPECT_EQ(ErrorOf(Pull(left, 1)), 0);
  env_.loop().RunFor(std::chrono::seconds(6));
  EXPECT_EQ(ErrorOf(Pull(left, 1)), 21);
  const std::string close = Parameter("EnumerationContext", Text(kept));
  EXPECT_EQ(Call("EnumerationCount", close), "<IRETURNVALUE></IRETURNVALUE>");
  EXPECT_EQ(Call("CloseEnumeration", close), "");
  EXPECT_EQ(ErrorOf(Call("CloseEnumeration", close)), 21);
  EXPECT_EQ(ErrorOf(Call("EnumerationCount", close)), 21);
  EXPECT_EQ(ErrorOf(OpenBooks(Number("OperationTimeout", 0))), 22);
  EXPECT_EQ(ErrorOf(OpenBooks(Number("OperationTimeout", 601))), 22);
  EXPECT_EQ(ErrorOf(OpenBooks(Parameter("MaxObjectCount", Text("-1")))), 4);
  EXPECT_EQ(ErrorOf(Call("PullInstancePaths", Parameter("EnumerationContext", Text("x")))), 4);
}

TEST_F(Operations, WhoOpensAndNeverClosesLosesItsOwn) {
  const std::string mine = Context(OpenBooks());
  std::string theirs;
  peer_ = "greedy";
  for (int i = 0; i < 100; ++i) theirs = Context(OpenBooks());
  EXPECT_LE(enumerations_.open(), 8u);
  EXPECT_EQ(ErrorOf(Pull(theirs, 1)), 0);
  peer_ = "test";
  EXPECT_EQ(ErrorOf(Pull(mine, 1)), 0);
}

TEST_F(Operations, AnObjectThatGoesBetweenPullsIsLeftOut) {
  const std::string context = Context(OpenBooks(Number("MaxObjectCount", 1)));
  server_.books.erase("2");
  server_.books.erase("3");
  const std::string rest = Pull(context, 10);
  EXPECT_EQ(ErrorOf(rest), 0);
  EXPECT_EQ(Context(rest), "");
}

TEST_F(Operations, AFailureEndsAnEnumerationUnlessItMayContinue) {
  server_.shelves_fail = true;
  const std::string elements = ClassParameter("ClassName", "Demo_Element");
  EXPECT_EQ(ErrorOf(Call("EnumerateInstances", elements)), 1);
  std::string content = Call("OpenEnumerateInstances", elements + Number("MaxObjectCount", 100));
  EXPECT_EQ(Count(content, "<VALUE.INSTANCEWITHPATH>"), 6u);
  std::string context = Context(content);
  EXPECT_EQ(ErrorOf(Pull(context, 100)), 1);
  EXPECT_EQ(ErrorOf(Pull(context, 100)), 21);
  content = Call("OpenEnumerateInstances", elements + Number("MaxObjectCount", 1) + Flag("ContinueOnError", true));
  size_t objects = 1, failures = 0;
  for (context = Context(content); !context.empty();) {
    content = Pull(context, 2);
    if (ErrorOf(content) == 21) break;
    failures += ErrorOf(content) == 1;
    objects += Count(content, "<VALUE.INSTANCEWITHPATH>");
    if (ErrorOf(content) == 0) context = Context(content);
  }
  EXPECT_EQ(failures, 1u);
  EXPECT_EQ(objects, 6u);
}

// Takes the pieces of a reply, as a connection does.
class Pieces final : public HttpStream {
 public:
  Task<bool> Send(HttpReply& head) override {
    if (pieces++ == 0) headers = head.headers;
    most = std::max(most, head.body.size());
    text += head.body;
    head.body.clear();
    co_return pieces <= take;
  }
  int pieces = 0, take = 1000;
  size_t most = 0;
  std::string text;
  HttpHeaders headers;
};

// A client that takes its reply slowly.
class Slow final : public Reply {
 public:
  void PutClass(const ClassDecl&, const std::string&) override {}
  void PutClassName(const ClassDecl&, const std::string&) override {}
  void PutInstance(const InstanceView&) override { ++instances; }
  void PutPath(const ObjectPath&) override {}
  void PutValue(const PropertyDecl&, const Value&) override {}
  void PutMethodResult(const MethodDecl&, const Value&, std::span<const Property>) override {}
  void PutEnumeration(const std::string& context) override { end = context.empty(); }
  bool Full() const override { return instances == 1; }
  Task<bool> Drain() override {
    co_await SuspendWith([this](auto resume) { go_on = std::move(resume); });
    co_return reads;
  }
  int instances = 0;
  bool end = false, reads = true;
  io::Closure go_on;
};

TEST_F(Operations, AnEnumerationIsPulledByOneAtATime) {
  for (const bool reads : {true, false}) {
    const std::string context = Context(OpenBooks());
    OperationRequest request = RequestFor(Operation::kPullInstancesWithPath);
    request.ns = demo::kNamespace;
    request.enumeration_context = context;
    request.max_object_count = 10;
    Slow slow;
    slow.reads = reads;
    std::optional<CimStatus> ended;
    Spawn(server_.core->Perform(request, {"", "test"}, slow), [&](CimStatus status) { ended = std::move(status); });
    ASSERT_FALSE(ended);
    env_.loop().RunFor(std::chrono::seconds(100));  // its time stands still while it is pulled
    EXPECT_EQ(ErrorOf(Pull(context, 1)), 21);
    EXPECT_EQ(ErrorOf(Call("CloseEnumeration", Parameter("EnumerationContext", Text(context)))), 24);
    slow.go_on();
    ASSERT_TRUE(ended);
    EXPECT_EQ(ended->ok(), reads);
    EXPECT_EQ(slow.instances, reads ? 3 : 1);
    EXPECT_EQ(slow.end, reads);
    EXPECT_EQ(enumerations_.open(), 0u);
  }
}

TEST_F(Operations, LargeRepliesAreSentWhileTheyAreMade) {
  for (int i = 0; i < 2000; ++i) server_.books[fmt::format("many-{}", i)] = {"A book", 1, {}, "B"};
  const HttpRequest request = Post("EnumerateInstances", "root/demo",
                                   Message("<IMETHODCALL NAME=\"EnumerateInstances\">" + kDemoNs +
                                           ClassParameter("ClassName", "Demo_Element") + "</IMETHODCALL>"));
  const std::string whole = Send(request).body;
  Pieces pieces;
  HttpReply end = Send(request, &pieces);
  EXPECT_EQ(pieces.text + end.body, whole);
  EXPECT_GT(pieces.pieces, 10);
  EXPECT_LT(pieces.most, 160u * 1024);
  EXPECT_TRUE(!end.broken && end.trailers.empty());
  ASSERT_FALSE(pieces.headers.empty());
  EXPECT_EQ(pieces.headers.back().first, "CIMOperation");

  server_.shelves_fail = true;  // after all books
  Pieces failing;
  end = Send(request, &failing);
  EXPECT_TRUE(end.broken);
  HttpRequest with_trailers = request;
  with_trailers.headers.emplace_back("TE", "chunked, trailers");
  Pieces told;
  end = Send(with_trailers, &told);
  EXPECT_FALSE(end.broken);
  ASSERT_EQ(end.trailers.size(), 2u);
  EXPECT_EQ(told.headers.back().first, "Trailer");
  EXPECT_EQ(end.trailers[0], (std::pair<std::string, std::string>("CIMStatusCode", "1")));
  EXPECT_TRUE(end.body.ends_with("</IRETURNVALUE></IMETHODRESPONSE></SIMPLERSP></MESSAGE></CIM>\n"));

  Pieces gone;
  gone.take = 2;
  Send(request, &gone);
  EXPECT_EQ(gone.pieces, 3);  // and no walk to the end for nobody
}

// A provider that gives everything at once; and clients that leave its lists open.
TEST_F(Operations, WhatProvidersHoldForOpenListsIsBounded) {
  for (int i = 0; i < 60'000; ++i) server_.shelves.push_back(std::to_string(i));
  const std::string shelves = ClassParameter("ClassName", "Demo_Shelf");
  std::string last;
  for (int i = 0; i < 4; ++i) last = Call("OpenEnumerateInstances", shelves);
  EXPECT_EQ(ErrorOf(last), 27);
  EXPECT_TRUE(Has(last, "try again")) << last;
  EXPECT_EQ(enumerations_.open(), 3u);
  enumerations_.Clear();
  EXPECT_EQ(ErrorOf(Call("OpenEnumerateInstances", shelves)), 0);
}

TEST_F(Operations, ExecQueryGivesWhatItSelects) {
  const auto query = [&](const std::string& text, const std::string& language = "WQL") {
    return Call("ExecQuery", Parameter("QueryLanguage", Text(language)) + Parameter("Query", Text(text)));
  };
  const std::string all = query("SELECT * FROM Demo_Element WHERE ElementName LIKE '%ai%'");
  EXPECT_EQ(Count(all, "<VALUE.OBJECTWITHPATH><INSTANCEPATH>"), 1u);
  EXPECT_EQ(Count(query("SELECT Pages FROM Demo_Item WHERE Pages >= 200"), "<VALUE.OBJECTWITHPATH>"), 2u);
  const std::string one = query("SELECT Pages FROM Demo_Item WHERE Isbn = '2'", "DMTF:CQL");
  EXPECT_EQ(Count(one, "<VALUE.OBJECTWITHPATH>"), 1u);
  EXPECT_TRUE(Has(one, "<INSTANCE CLASSNAME=\"Demo_Book\"><PROPERTY NAME=\"Pages\" TYPE=\"uint16\"><VALUE>200</VALUE>"
                       "</PROPERTY></INSTANCE>")) << one;
  EXPECT_EQ(ErrorOf(query("SELECT * FROM No_Class")), 5);
  EXPECT_EQ(ErrorOf(query("SELECT")), 15);
  EXPECT_EQ(ErrorOf(query("SELECT * FROM Demo_Book", "SQL")), 14);
  EXPECT_EQ(ErrorOf(query("SELECT COUNT(*) FROM Demo_Book")), 29);
  const std::string opened =
      Call("OpenQueryInstances", Parameter("FilterQueryLanguage", Text("WQL")) +
                                     Parameter("FilterQuery", Text("SELECT Isbn, Pages FROM Demo_Book")) +
                                     Number("MaxObjectCount", 10) + Flag("ReturnQueryResultClass", true));
  EXPECT_TRUE(Has(opened, "<PARAMVALUE NAME=\"QueryResultClass\"><CLASS NAME=\"Demo_Book\" SUPERCLASS=\"Demo_Item\">"))
      << opened;
  EXPECT_EQ(Count(opened, "<INSTANCE CLASSNAME=\"Demo_Book\">"), 3u);
}

TEST_F(Operations, QualifierDeclarationsAreRead) {
  const std::string one = Call("GetQualifier", Parameter("QualifierName", Text("description")));
  EXPECT_EQ(one, "<IRETURNVALUE><QUALIFIER.DECLARATION NAME=\"Description\" TYPE=\"string\" ISARRAY=\"false\" "
                 "TRANSLATABLE=\"true\"><SCOPE CLASS=\"true\" ASSOCIATION=\"true\" REFERENCE=\"true\" "
                 "PROPERTY=\"true\" METHOD=\"true\" "
                 "PARAMETER=\"true\" INDICATION=\"true\"></SCOPE></QUALIFIER.DECLARATION>"
                 "</IRETURNVALUE>");
  EXPECT_EQ(ErrorOf(Call("GetQualifier", Parameter("QualifierName", Text("None")))), 6);
  const std::string all = Call("EnumerateQualifiers", "");
  EXPECT_TRUE(Has(all, "NAME=\"Values\" TYPE=\"string\" ISARRAY=\"true\"")) << all;
  EXPECT_TRUE(Has(all, "NAME=\"Key\" TYPE=\"boolean\" ISARRAY=\"false\" OVERRIDABLE=\"false\"><SCOPE "
                       "REFERENCE=\"true\" PROPERTY=\"true\"></SCOPE><VALUE>FALSE</VALUE>")) << all;
}

TEST_F(Operations, ClassesAndQualifiersAreCheckedAndRefused) {
  const auto cls = [](const std::string& parameter, const std::string& name, const std::string& superclass) {
    return Parameter(parameter, "<CLASS NAME=\"" + name + "\"" +
                                    (superclass.empty() ? "" : " SUPERCLASS=\"" + superclass + "\"") + "></CLASS>");
  };
  EXPECT_EQ(ErrorOf(Call("CreateClass", cls("NewClass", "Demo_Book", ""))), 11);
  EXPECT_EQ(ErrorOf(Call("CreateClass", cls("NewClass", "Demo_New", "No_Class"))), 10);
  EXPECT_EQ(ErrorOf(Call("CreateClass", cls("NewClass", "Demo_New", "Demo_Book"))), 7);
  EXPECT_EQ(ErrorOf(Call("CreateClass", Parameter("NewClass", kBook1))), 4);
  EXPECT_EQ(ErrorOf(Call("ModifyClass", cls("ModifiedClass", "No_Class", ""))), 6);
  EXPECT_EQ(ErrorOf(Call("ModifyClass", cls("ModifiedClass", "Demo_Book", "Demo_Shelf"))), 10);
  EXPECT_EQ(ErrorOf(Call("ModifyClass", cls("ModifiedClass", "Demo_Book", "Demo_Item"))), 7);
  EXPECT_EQ(ErrorOf(Call("DeleteClass", ClassParameter("ClassName", "No_Class"))), 6);
  EXPECT_EQ(ErrorOf(Call("DeleteClass", ClassParameter("ClassName", "Demo_Item"))), 8);
  EXPECT_EQ(ErrorOf(Call("DeleteClass", ClassParameter("ClassName", "Demo_Shelf"))), 9);
  EXPECT_EQ(ErrorOf(Call("DeleteClass", ClassParameter("ClassName", "Demo_Loan"))), 7);
  EXPECT_EQ(ErrorOf(Call("DeleteQualifier", Parameter("QualifierName", Text("None")))), 6);
  EXPECT_EQ(ErrorOf(Call("DeleteQualifier", Parameter("QualifierName", Text("Key")))), 7);
  EXPECT_EQ(ErrorOf(Call("SetQualifier", Parameter("QualifierDeclaration",
                                                   "<QUALIFIER.DECLARATION NAME=\"Key\" TYPE=\"boolean\">"
                                                   "</QUALIFIER.DECLARATION>"))), 7);
}

TEST_F(Operations, HostsAndNamespacesInTargetsAndReferencesAreTolerated) {
  const std::string path = "<INSTANCEPATH><NAMESPACEPATH><HOST>elsewhere:5988</HOST>" + kDemoNs + "</NAMESPACEPATH>" +
                           kBook1 + "</INSTANCEPATH>";
  EXPECT_EQ(ErrorOf(Call("GetInstance", Parameter("InstanceName", path))), 0);
  EXPECT_TRUE(Has(Call("AssociatorNames", Parameter("ObjectName", path)), "Demo_Shelf"));
  const std::string key = [](const std::string& name, const std::string& reference) {
    return "<KEYBINDING NAME=\"" + name + "\"><VALUE.REFERENCE>" + reference + "</VALUE.REFERENCE></KEYBINDING>";
  }("Item", path);
  const std::string holds = "<INSTANCENAME CLASSNAME=\"Demo_Holds\"><KEYBINDING NAME=\"Shelf\"><VALUE.REFERENCE>" +
                            kShelfA + "</VALUE.REFERENCE></KEYBINDING>" + key + "</INSTANCENAME>";
  EXPECT_TRUE(Has(Call("GetInstance", Parameter("InstanceName", holds)), "NAME=\"Place\""));
  EXPECT_EQ(ErrorOf(Call("GetInstance", Parameter("InstanceName", "<INSTANCENAME CLASSNAME=\"Demo_Book\">"
                                                                  "</INSTANCENAME>"))), 4);
}

TEST_F(Operations, ErrorsCarryACimErrorForThoseWhoReadIt) {
  HttpRequest request = Post("GetClass", "root/demo",
                             Message("<IMETHODCALL NAME=\"GetClass\">" + kDemoNs + ClassParameter("ClassName", "No") +
                                     "</IMETHODCALL>"));
  EXPECT_TRUE(Has(Send(request).body, "not declared in namespace root/demo\"></ERROR>"));
  request.headers.emplace_back("Accept", "*/*");
  const std::string body = Send(request).body;
  for (const char* part : {"<INSTANCE CLASSNAME=\"CIM_Error\">",
                           "NAME=\"OwningEntity\" TYPE=\"string\"><VALUE>Lockstep<",
                           "NAME=\"MessageID\" TYPE=\"string\"><VALUE>CIM0006<", "NAME=\"Message\"",
                           "NAME=\"CIMStatusCode\" TYPE=\"uint32\"><VALUE>6<", "</INSTANCE></ERROR>"})
    EXPECT_TRUE(Has(body, part)) << part << " in " << body;
}

TEST_F(Operations, EveryOperationRefusesUnknownAndRepeatedAndMissingParameters) {
  for (const OperationSpec& spec : AllOperations()) {
    if (spec.name.empty()) continue;
    SCOPED_TRACE(spec.name);
    const std::string name(spec.name);
    EXPECT_EQ(ErrorOf(Call(name, Parameter("Nope", Text("1")))), 7);
    if (spec.parameters.empty()) continue;
    const bool required = spec.parameters.front().required;
    if (required) {
      EXPECT_EQ(ErrorOf(Call(name, "")), 4);
    }
    // A value of a kind that no parameter takes.
    for (const ParameterSpec& p : spec.parameters) {
      const std::string wrong = Call(name, Parameter(std::string(p.name), "<VALUE.REFARRAY></VALUE.REFARRAY>"));
      EXPECT_EQ(ErrorOf(wrong), 4) << p.name;
    }
    const std::string once = Parameter(std::string(spec.parameters.back().name), Text("TRUE"));
    EXPECT_NE(ErrorOf(Call(name, once + once)), 0);
  }
}

TEST_F(Operations, TheDocumentationIsWhatTheTableSays) {
  std::ifstream file(LOCKSTEP_SOURCE_DIR "/docs/interfaces/cim-operations.md");
  const std::string text(std::istreambuf_iterator<char>(file), {});
  EXPECT_NE(text.find(DescribeOperations()), std::string::npos)
      << "docs/interfaces/cim-operations.md should hold this table:\n" << DescribeOperations();
}

}  // namespace
}  // namespace lockstep::wbem
