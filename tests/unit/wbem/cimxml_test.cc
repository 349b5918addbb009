// Messages as the two stock clients send them, through header checks, decoding, the operation core and the demo
// providers, to the text of the reply.
#include <gtest/gtest.h>

#include "tests/unit/wbem/messages.h"
#include "wbem/mof.h"
#include "wbem/utf8.h"

namespace lockstep::wbem {
namespace {

TEST_F(Messages, GetInstanceAsPywbemSendsIt) {
  const std::string content = Call("GetInstance", Parameter("InstanceName", kBook1));
  EXPECT_TRUE(content.starts_with("<IRETURNVALUE><INSTANCE CLASSNAME=\"Demo_Book\">"));
  for (const char* part :
       {"<PROPERTY NAME=\"Isbn\" TYPE=\"string\"><VALUE>1</VALUE></PROPERTY>",
        "<PROPERTY NAME=\"ElementName\" TYPE=\"string\"><VALUE>Håndbog &lt;i&gt;</VALUE></PROPERTY>",
        "<PROPERTY NAME=\"Pages\" TYPE=\"uint16\"><VALUE>100</VALUE></PROPERTY>",
        "<PROPERTY.ARRAY NAME=\"Authors\" TYPE=\"string\"><VALUE.ARRAY><VALUE>Knuth</VALUE><VALUE>O&apos;Neil "
        "&quot;x&quot;</VALUE></VALUE.ARRAY></PROPERTY.ARRAY>",
        "<PROPERTY NAME=\"State\" TYPE=\"uint16\"><VALUE>2</VALUE></PROPERTY>",
        "<PROPERTY NAME=\"Printed\" TYPE=\"datetime\"><VALUE>20010909024640.000000+060</VALUE></PROPERTY>",
        "<PROPERTY NAME=\"LoanTime\" TYPE=\"datetime\"><VALUE>00000000000015.000000:000</VALUE></PROPERTY>",
        "<PROPERTY NAME=\"Balance\" TYPE=\"sint32\"><VALUE>-5</VALUE></PROPERTY>",
        "<PROPERTY NAME=\"Rare\" TYPE=\"boolean\"><VALUE>TRUE</VALUE></PROPERTY>",
        "<PROPERTY NAME=\"Initial\" TYPE=\"char16\"><VALUE>ß</VALUE></PROPERTY>",
        "<PROPERTY NAME=\"Notes\" TYPE=\"string\"><VALUE></VALUE></PROPERTY>",
        "<PROPERTY.ARRAY NAME=\"Empty\" TYPE=\"uint8\"><VALUE.ARRAY></VALUE.ARRAY></PROPERTY.ARRAY>",
        "<PROPERTY NAME=\"Missing\" TYPE=\"uint32\"></PROPERTY>",
        "<PROPERTY NAME=\"LastLoan\" TYPE=\"string\" EmbeddedObject=\"instance\"><VALUE>&lt;INSTANCE "
        "CLASSNAME=&quot;Demo_Loan&quot;&gt;&lt;PROPERTY NAME=&quot;Reader&quot; "
        "TYPE=&quot;string&quot;&gt;&lt;VALUE&gt;A &amp;amp; B&lt;/VALUE&gt;&lt;/PROPERTY&gt;"})
    EXPECT_TRUE(Has(content, part)) << part << "\nin\n" << content;
}

TEST_F(Messages, AsWbemcliSendsThemWithNewlinesAndVersions) {
  HttpRequest request = Post(
      "GetInstance", "root%2Fdemo",
      "<?xml version=\"1.0\" encoding=\"utf-8\" ?>\n<CIM CIMVERSION=\"2.0\" DTDVERSION=\"2.0\">\n<MESSAGE ID=\"4711\" "
      "PROTOCOLVERSION=\"1.0\">\n<SIMPLEREQ>\n<IMETHODCALL NAME=\"GetInstance\">\n<LOCALNAMESPACEPATH>\n<NAMESPACE "
      "NAME=\"root\"></NAMESPACE>\n<NAMESPACE NAME=\"demo\"></NAMESPACE>\n</LOCALNAMESPACEPATH>\n<IPARAMVALUE "
      "NAME=\"LocalOnly\"><VALUE>FALSE</VALUE></IPARAMVALUE>\n<IPARAMVALUE NAME=\"InstanceName\"><INSTANCENAME "
      "CLASSNAME=\"Demo_Shelf\">\n<KEYBINDING NAME=\"Id\"><KEYVALUE VALUETYPE=\"string\">A</KEYVALUE></KEYBINDING>\n"
      "</INSTANCENAME>\n</IPARAMVALUE>\n</IMETHODCALL>\n</SIMPLEREQ>\n</MESSAGE>\n</CIM>");
  request.headers.emplace_back("CIMProtocolVersion", "1.0");
  const HttpReply reply = Send(std::move(request));
  EXPECT_TRUE(Has(reply.body, "<MESSAGE ID=\"4711\"")) << reply.body;
  EXPECT_TRUE(Has(reply.body, "<PROPERTY NAME=\"Width\" TYPE=\"uint8\"><VALUE>80</VALUE>")) << reply.body;
}

TEST_F(Messages, PropertyListAndClassOriginAreObeyed) {
  const std::string content =
      Call("GetInstance", Parameter("IncludeClassOrigin", Text("true")) + Parameter("InstanceName", kBook1) +
                              Parameter("PropertyList",
                                  "<VALUE.ARRAY><VALUE>pages</VALUE><VALUE>nosuch</VALUE></VALUE.ARRAY>"));
  EXPECT_EQ(content, "<IRETURNVALUE><INSTANCE CLASSNAME=\"Demo_Book\"><PROPERTY NAME=\"Pages\" TYPE=\"uint16\" "
                     "CLASSORIGIN=\"Demo_Item\"><VALUE>100</VALUE></PROPERTY></INSTANCE></IRETURNVALUE>");
}

TEST_F(Messages, EnumerationsOfASuperclassGiveInstancesOfSubclasses) {
  const std::string names = Call("EnumerateInstanceNames", ClassParameter("ClassName", "Demo_Element"));
  EXPECT_TRUE(Has(names, "CLASSNAME=\"Demo_Shelf\"") && Has(names, "CLASSNAME=\"Demo_Book\""));
  EXPECT_TRUE(Has(Call("EnumerateInstances", ClassParameter("ClassName", "Demo_Item")), "NAME=\"Pages\""));
  const std::string shallow = Call("EnumerateInstances", ClassParameter("ClassName", "Demo_Element") +
                                                             Parameter("DeepInheritance", Text("FALSE")));
  EXPECT_TRUE(Has(shallow, "<VALUE.NAMEDINSTANCE>") && Has(shallow, "NAME=\"ElementName\""));
  EXPECT_FALSE(Has(shallow, "NAME=\"Pages\""));
  EXPECT_EQ(Call("EnumerateInstances", ClassParameter("ClassName", "Demo_Atlas")), "<IRETURNVALUE></IRETURNVALUE>");
}

TEST_F(Messages, AssociationsAreSeenFromBothEnds) {
  const std::string book = "<INSTANCEPATH><NAMESPACEPATH><HOST>demo.example</HOST>" + kDemoNs + "</NAMESPACEPATH>";
  const std::string names = Call("AssociatorNames", Parameter("ObjectName", kBook1));
  EXPECT_TRUE(names.starts_with("<IRETURNVALUE><OBJECTPATH>" + book + "<INSTANCENAME CLASSNAME=\"Demo_Shelf\">"))
      << names;
  const std::string shelf = "<INSTANCENAME CLASSNAME=\"demo_shelf\"><KEYBINDING NAME=\"id\"><KEYVALUE "
                            "VALUETYPE=\"string\">A</KEYVALUE></KEYBINDING></INSTANCENAME>";
  const std::string books = Call("Associators", Parameter("ObjectName", shelf) + ClassParameter("ResultClass",
      "Demo_Item") +
                                                    Parameter("Role", Text("shelf")) + Parameter("ResultRole",
                                                        Text("Item")));
  EXPECT_TRUE(Has(books, "<VALUE.OBJECTWITHPATH>") && Has(books, "Håndbog") && Has(books, "漢字 𝄞"));
  EXPECT_FALSE(Has(books, "Plain"));
  const std::string none = Call("Associators", Parameter("ObjectName", shelf) + Parameter("Role", Text("Item")));
  EXPECT_EQ(none, "<IRETURNVALUE></IRETURNVALUE>");
  const std::string references = Call("References", Parameter("ObjectName", kBook1) + ClassParameter("ResultClass",
      "Demo_Holds"));
  EXPECT_TRUE(Has(references, "<PROPERTY.REFERENCE NAME=\"Shelf\" REFERENCECLASS=\"Demo_Shelf\"><VALUE.REFERENCE>"
                              "<LOCALINSTANCEPATH>" + kDemoNs)) << references;
  EXPECT_EQ(ErrorOf(Call("AssociatorNames", Parameter("ObjectName", kBook1) + ClassParameter("AssocClass", "No"))), 4);
}

TEST_F(Messages, AnAssociationInstanceIsReadBackByItsReferences) {
  const std::string names = Call("ReferenceNames", Parameter("ObjectName", kBook1));
  const size_t begin = names.find("<INSTANCENAME"), end = names.rfind("</INSTANCEPATH>");
  ASSERT_NE(begin, std::string::npos);
  const std::string content = Call("GetInstance", Parameter("InstanceName", names.substr(begin, end - begin)));
  EXPECT_TRUE(Has(content, "<PROPERTY NAME=\"Place\" TYPE=\"uint16\"><VALUE>1</VALUE>")) << content;
}

TEST_F(Messages, ClassesAreShownWithQualifiersOrWithout) {
  const std::string local = Call("GetClass", ClassParameter("ClassName", "Demo_Book") + Parameter("IncludeQualifiers",
      Text("false")));
  EXPECT_EQ(local, "<IRETURNVALUE><CLASS NAME=\"Demo_Book\" SUPERCLASS=\"Demo_Item\"><METHOD NAME=\"Remove\" "
      "TYPE=\"uint32\">"
                   "<PARAMETER NAME=\"Force\" TYPE=\"boolean\"></PARAMETER></METHOD></CLASS></IRETURNVALUE>");
  const std::string all = Call("GetClass", ClassParameter("ClassName", "Demo_Book") + Parameter("LocalOnly",
      Text("false")) +
                                               Parameter("IncludeClassOrigin", Text("true")));
  EXPECT_TRUE(Has(all, "<PROPERTY NAME=\"Isbn\" TYPE=\"string\" CLASSORIGIN=\"Demo_Item\" "
      "PROPAGATED=\"true\"><QUALIFIER "
                       "NAME=\"Key\" TYPE=\"boolean\" OVERRIDABLE=\"false\"><VALUE>TRUE</VALUE></QUALIFIER>")) << all;
  const std::string roots = Call("EnumerateClassNames", "");
  EXPECT_TRUE(Has(roots, "<CLASSNAME NAME=\"Demo_Element\"/>") && !Has(roots, "Demo_Book"));
  EXPECT_TRUE(Has(Call("EnumerateClassNames", Parameter("DeepInheritance", Text("TRUE"))), "Demo_Book"));
  EXPECT_TRUE(Has(Call("EnumerateClasses", ClassParameter("ClassName", "Demo_Item")), "<CLASS NAME=\"Demo_Book\""));
  EXPECT_TRUE(Has(Call("AssociatorNames", ClassParameter("ObjectName", "Demo_Book")),
      "<CLASSNAME NAME=\"Demo_Shelf\"/>"));
}

TEST_F(Messages, MethodsTakeUntypedParametersFromWbemcli) {
  const std::string content = Invoke("Lend", kAda, "<PARAMVALUE NAME=\"Days\"><VALUE>3</VALUE></PARAMVALUE><PARAMVALUE "
                                     "NAME=\"Item\"><VALUE.REFERENCE>" + kBook1 + "</VALUE.REFERENCE></PARAMVALUE>");
  EXPECT_TRUE(content.starts_with("<RETURNVALUE PARAMTYPE=\"uint32\"><VALUE>0</VALUE></RETURNVALUE><PARAMVALUE "
      "NAME=\"Due\" "
                                  "PARAMTYPE=\"datetime\"><VALUE>00000003000000.000000:000</VALUE></PARAMVALUE>"))
                                      << content;
  EXPECT_TRUE(Has(content, "<PARAMVALUE NAME=\"Loan\" PARAMTYPE=\"string\" EmbeddedObject=\"instance\">"));
  EXPECT_TRUE(Has(Invoke("Lend", kAda, "<PARAMVALUE NAME=\"Item\" PARAMTYPE=\"reference\"></PARAMVALUE>"),
      "<VALUE>5</VALUE>"));
}

TEST_F(Messages, EmbeddedInstancesAreTakenInEveryNotation) {
  const std::string xml = "&lt;INSTANCE CLASSNAME=\"demo_loan\"&gt;&lt;PROPERTY NAME=\"days\" "
      "TYPE=\"uint16\"&gt;&lt;VALUE&gt;9"
                          "&lt;/VALUE&gt;&lt;/PROPERTY&gt;&lt;/INSTANCE&gt;";
  const std::string cdata = "<![CDATA[<INSTANCE CLASSNAME=\"Demo_Loan\"><PROPERTY NAME=\"Days\" "
      "TYPE=\"uint16\"><VALUE>9</VALUE>"
                            "</PROPERTY></INSTANCE>]]>";
  const std::string mof = "instance of Demo_Loan { Days = 9; };";
  for (const std::string& text : {xml, cdata, mof})
    for (const char* attributes : {"", " PARAMTYPE=\"string\"", " PARAMTYPE=\"string\" EmbeddedObject=\"instance\"",
                                   " PARAMTYPE=\"string\" EMBEDDEDOBJECT=\"instance\""}) {
      const std::string content =
          Invoke("Echo", kAda, std::string("<PARAMVALUE NAME=\"Loan\"") + attributes + ">" + Text(text)
              + "</PARAMVALUE>");
      EXPECT_TRUE(Has(content, "&lt;PROPERTY NAME=&quot;Days&quot; TYPE=&quot;uint16&quot;&gt;&lt;VALUE&gt;9"))
          << content;
    }
}

TEST_F(Messages, MethodCallsThatCannotBeAreRefused) {
  EXPECT_EQ(ErrorOf(Invoke("NoSuch", kAda, "")), 17);
  EXPECT_EQ(ErrorOf(Invoke("NotBuilt", kAda, "")), 16);
  const auto lend = [&](const std::string& parameter) { return ErrorOf(Invoke("Lend", kAda, parameter)); };
  EXPECT_EQ(lend("<PARAMVALUE NAME=\"Nope\"><VALUE>3</VALUE></PARAMVALUE>"), 4);
  EXPECT_EQ(lend("<PARAMVALUE NAME=\"Days\"><VALUE>x</VALUE></PARAMVALUE>"), 4);
  EXPECT_EQ(lend("<PARAMVALUE NAME=\"Days\" PARAMTYPE=\"boolean\"><VALUE>TRUE</VALUE></PARAMVALUE>"), 4);
  EXPECT_EQ(lend("<PARAMVALUE NAME=\"Days\"><VALUE.ARRAY><VALUE>1</VALUE></VALUE.ARRAY></PARAMVALUE>"), 4);
  EXPECT_EQ(lend("<PARAMVALUE NAME=\"Item\"><VALUE.REFERENCE>" + kAda + "</VALUE.REFERENCE></PARAMVALUE>"), 4);
  EXPECT_EQ(lend("<PARAMVALUE NAME=\"Due\"><VALUE>00000003000000.000000:000</VALUE></PARAMVALUE>"), 4);
  EXPECT_EQ(ErrorOf(Invoke("Echo", kAda, "<PARAMVALUE NAME=\"Loan\"><VALUE>instance of Demo_Loan { X = 1; "
      "};</VALUE></PARAMVALUE>")), 4);
  EXPECT_EQ(ErrorOf(Invoke("Echo", kAda, "<PARAMVALUE NAME=\"Loan\"><VALUE>instance of Demo_Shelf { "
      "};</VALUE></PARAMVALUE>")), 4);
}

TEST_F(Messages, ModifyChangesWhatDiffersAndNothingElse) {
  const std::string pages = "<PROPERTY NAME=\"Pages\" TYPE=\"uint16\"><VALUE>7</VALUE></PROPERTY>";
  const auto modify = [&](const std::string& properties, const std::string& more = "") {
    return Call("ModifyInstance", Parameter("ModifiedInstance", "<VALUE.NAMEDINSTANCE>" + kBook1
        + "<INSTANCE CLASSNAME=\"Demo_Book\">" +
                                                                    properties + "</INSTANCE></VALUE.NAMEDINSTANCE>")
                                                                        + more);
  };
  EXPECT_EQ(modify(pages), "");
  EXPECT_EQ(server_.books["1"].pages, 7);
  EXPECT_EQ(ErrorOf(modify("<PROPERTY NAME=\"Isbn\" TYPE=\"string\"><VALUE>9</VALUE></PROPERTY>")), 4);
  EXPECT_EQ(ErrorOf(modify("<PROPERTY NAME=\"Rare\" TYPE=\"boolean\"><VALUE>FALSE</VALUE></PROPERTY>")), 4);
  EXPECT_EQ(ErrorOf(modify("<PROPERTY NAME=\"Nope\" TYPE=\"boolean\"><VALUE>FALSE</VALUE></PROPERTY>")), 12);
  // As wbemcli does: everything that GetInstance gave, qualifiers too, with one property changed.
  std::string all = Call("GetInstance", Parameter("InstanceName", kBook1));
  const size_t begin = all.find("<PROPERTY"), end = all.rfind("</INSTANCE>");
  all = "<QUALIFIER NAME=\"Version\" TYPE=\"string\"><VALUE>1</VALUE></QUALIFIER>" + all.substr(begin, end - begin);
  all.replace(all.find("<VALUE>7</VALUE>"), 16, "<VALUE>8</VALUE>");
  EXPECT_EQ(modify(all), "");
  EXPECT_EQ(server_.books["1"].pages, 8);
  EXPECT_EQ(modify("", Parameter("PropertyList", "<VALUE.ARRAY><VALUE>Pages</VALUE></VALUE.ARRAY>")), "");
  EXPECT_EQ(server_.books["1"].pages, 0);
}

TEST_F(Messages, InstancesComeAndGo) {
  const std::string created = Call("CreateInstance", Parameter("NewInstance",
      "<INSTANCE CLASSNAME=\"demo_book\"><PROPERTY NAME=\"isbn\" "
                                   "TYPE=\"string\"><VALUE>9</VALUE></PROPERTY></INSTANCE>"));
  EXPECT_TRUE(Has(created, "<INSTANCENAME CLASSNAME=\"Demo_Book\">") && server_.books.contains("9")) << created;
  EXPECT_EQ(Call("DeleteInstance", Parameter("InstanceName", kBook1)), "");
  EXPECT_EQ(ErrorOf(Call("DeleteInstance", Parameter("InstanceName", kBook1))), 6);
  EXPECT_EQ(ErrorOf(Call("GetInstance", Parameter("InstanceName", kBook1))), 6);
  EXPECT_EQ(ErrorOf(Call("CreateInstance", Parameter("NewInstance",
      "<INSTANCE CLASSNAME=\"Demo_Shelf\"></INSTANCE>"))), 7);
}

TEST_F(Messages, PropertiesAreReadAndSetAlone) {
  const std::string pages = Parameter("InstanceName", kBook1) + Parameter("PropertyName", Text("pages"));
  EXPECT_EQ(Call("GetProperty", pages), "<IRETURNVALUE><VALUE>100</VALUE></IRETURNVALUE>");
  EXPECT_EQ(Call("SetProperty", pages + Parameter("NewValue", Text("5"))), "");
  EXPECT_EQ(server_.books["1"].pages, 5);
  EXPECT_EQ(ErrorOf(Call("SetProperty", pages + Parameter("NewValue", Text("x")))), 13);
  EXPECT_EQ(ErrorOf(Call("GetProperty", Parameter("InstanceName", kBook1) + Parameter("PropertyName", Text("No")))),
      12);
}

TEST_F(Messages, WhatDoesNotExistHasItsOwnError) {
  EXPECT_EQ(ErrorOf(Call("GetClass", ClassParameter("ClassName", "No"))), 6);
  EXPECT_EQ(ErrorOf(Call("EnumerateInstances", ClassParameter("ClassName", "No"))), 5);
  EXPECT_EQ(ErrorOf(Call("EnumerateClassNames", "", "<LOCALNAMESPACEPATH><NAMESPACE "
      "NAME=\"nowhere\"/></LOCALNAMESPACEPATH>")), 3);
  EXPECT_EQ(ErrorOf(Call("OpenEverything", ClassParameter("ClassName", "Demo_Book"))), 7);
  EXPECT_EQ(ErrorOf(Call("GetClass", ClassParameter("ClassName", "Demo_Book") + Parameter("Nope", Text("1")))), 7);
  EXPECT_EQ(ErrorOf(Call("GetClass", "")), 4);
  EXPECT_EQ(ErrorOf(Call("GetClass", ClassParameter("ClassName", "Demo_Book") + ClassParameter("ClassName",
      "Demo_Book"))), 4);
  EXPECT_EQ(ErrorOf(Call("GetInstance", Parameter("InstanceName",
      "<INSTANCENAME CLASSNAME=\"Demo_Book\"><KEYBINDING NAME=\"No\">"
                                                  "<KEYVALUE>1</KEYVALUE></KEYBINDING></INSTANCENAME>"))), 4);
}

TEST_F(Messages, HeadersAndBodyMustAgree) {
  const std::string body = Message("<IMETHODCALL NAME=\"EnumerateClassNames\">" + kDemoNs + "</IMETHODCALL>");
  const auto refused = [&](std::string_view name, const char* value) {
    HttpRequest request = Post("EnumerateClassNames", "root/demo", body);
    std::erase_if(request.headers, [&](auto& h) { return NameEquals(h.first, name); });
    if (value) request.headers.emplace_back(name, value);
    const HttpReply reply = Send(std::move(request));
    EXPECT_EQ(reply.body.empty(), reply.status != 200);
    std::string error;
    for (const auto& [n, v] : reply.headers)
      if (n == "CIMError") error = v;
    return fmt::format("{} {}", reply.status, error);
  };
  EXPECT_EQ(refused("CIMMethod", "GetClass"), "400 header-mismatch");
  EXPECT_EQ(refused("CIMMethod", nullptr), "400 header-mismatch");
  EXPECT_EQ(refused("CIMObject", "root/other"), "400 header-mismatch");
  EXPECT_EQ(refused("CIMObject", nullptr), "400 header-mismatch");
  EXPECT_EQ(refused("CIMOperation", nullptr), "400 ");
  EXPECT_EQ(refused("CIMOperation", "Other"), "400 unsupported-operation");
  EXPECT_EQ(refused("CIMBatch", ""), "501 multiple-requests-unsupported");
  EXPECT_EQ(refused("CIMProtocolVersion", "2.0"), "501 unsupported-protocol-version");
  EXPECT_EQ(refused("CIMProtocolVersion", "1.4"), "400 header-mismatch");
  EXPECT_EQ(refused("Content-Type", "text/html"), "400 ");
  EXPECT_EQ(refused("Content-Type", "application/xml; charset=latin1"), "400 ");
  EXPECT_EQ(refused("Host", nullptr), "400 ");
  EXPECT_EQ(refused("CIMObject", "ROOT%2fDemo"), "200 ");
  EXPECT_EQ(refused("Content-Type", "text/xml"), "200 ");
}

TEST_F(Messages, MPostNamesItsHeadersByPrefix) {
  HttpRequest request = Post("", "", Message("<IMETHODCALL NAME=\"EnumerateClassNames\">" + kDemoNs
      + "</IMETHODCALL>"));
  request.method = "M-POST";
  request.headers = {{"Host", "h"}, {"Content-Type", "application/xml"},
                     {"Man", "http://www.dmtf.org/cim/mapping/http/v1.0 ; ns=73"}, {"73-CIMOperation", "MethodCall"},
                     {"73-CIMMethod", "EnumerateClassNames"}, {"73-CIMObject", "root/demo"}};
  const HttpReply reply = Send(request);
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.headers.back(), (std::pair<std::string, std::string>("73-CIMOperation", "MethodResponse")));
  request.version = 10;
  EXPECT_EQ(Send(request).status, 400);
}

TEST_F(Messages, HostileXmlIsRefusedBeforeATreeIsBuilt) {
  const auto refused = [&](const std::string& body) {
    const HttpReply reply = Send(Post("GetClass", "root/demo", body));
    std::string error;
    for (const auto& [n, v] : reply.headers)
      if (n == "CIMError") error = v;
    return fmt::format("{} {}", reply.status, error);
  };
  const std::string laughs = "<!DOCTYPE l [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;&a;\">]>";
  EXPECT_EQ(refused(laughs + Message("<IMETHODCALL NAME=\"&b;\">" + kDemoNs + "</IMETHODCALL>")),
      "400 request-not-well-formed");
  EXPECT_EQ(refused(""), "400 request-not-well-formed");
  EXPECT_EQ(refused("<CIM>"), "400 request-not-well-formed");
  EXPECT_EQ(refused("<CIM></CIM><CIM></CIM>"), "400 request-not-well-formed");
  EXPECT_EQ(refused("<CIM>a & b</CIM>"), "400 request-not-well-formed");
  EXPECT_EQ(refused("<CIM>&#0;</CIM>"), "400 request-not-well-formed");
  EXPECT_EQ(refused("<CIM a=\"<\"></CIM>"), "400 request-not-well-formed");
  EXPECT_EQ(refused("<CIM>\xc0\xaf</CIM>"), "400 request-not-valid");
  EXPECT_EQ(refused("<OTHER></OTHER>"), "400 request-not-valid");
  std::string deep, wide = "<CIM>";
  for (int i = 0; i < 100000; ++i) deep += "<A>";
  for (int i = 0; i < 300000; ++i) wide += "<A/>";
  EXPECT_EQ(refused(deep), "400 request-not-valid");
  EXPECT_EQ(refused(wide + "</CIM>"), "400 request-not-valid");
  EXPECT_EQ(refused(Message("<IMETHODCALL NAME=\"GetClass\"></IMETHODCALL>")), "400 request-not-valid");
  EXPECT_EQ(refused("<CIM CIMVERSION=\"3.0\" DTDVERSION=\"2.0\"><MESSAGE/></CIM>"), "501 unsupported-cim-version");
}

TEST_F(Messages, TheServerDescribesItself) {
  HttpRequest request = Post("EnumerateInstanceNames", "interop",
                             Message("<IMETHODCALL NAME=\"EnumerateInstanceNames\"><LOCALNAMESPACEPATH><NAMESPACE "
                                 "NAME=\"interop\"/>"
                                     "</LOCALNAMESPACEPATH>" + ClassParameter("ClassName", "CIM_Namespace")
                                         + "</IMETHODCALL>"));
  const std::string body = Send(std::move(request)).body;
  EXPECT_TRUE(Has(body, "<KEYVALUE VALUETYPE=\"string\">root/demo</KEYVALUE>") && Has(body, ">interop</KEYVALUE>"))
      << body;
}

}  // namespace
}  // namespace lockstep::wbem
