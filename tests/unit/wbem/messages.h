// Sends messages as clients write them through header checks, decoding, the operation core and the demo providers, and
// takes the text of the reply apart.
#pragma once

#include <gtest/gtest.h>

#include <fmt/format.h>

#include "sim/env.h"
#include "tests/unit/wbem/demo/demo_model.h"
#include "wbem/utf8.h"

namespace lockstep::wbem {

inline constexpr const char* kDeclaration = "<?xml version=\"1.0\" encoding=\"utf-8\" ?>\n";
inline const std::string kBook1 =
    "<INSTANCENAME CLASSNAME=\"Demo_Book\"><KEYBINDING NAME=\"Isbn\"><KEYVALUE VALUETYPE=\"string\" TYPE=\"string\">1"
    "</KEYVALUE></KEYBINDING></INSTANCENAME>";
inline const std::string kAda =
    "<INSTANCENAME CLASSNAME=\"Demo_Librarian\"><KEYBINDING NAME=\"Name\"><KEYVALUE VALUETYPE=\"string\">Ada</KEYVALUE>"
    "</KEYBINDING></INSTANCENAME>";
inline const std::string kDemoNs = "<LOCALNAMESPACEPATH><NAMESPACE NAME=\"root\"/><NAMESPACE "
    "NAME=\"demo\"/></LOCALNAMESPACEPATH>";

inline std::string Parameter(const std::string& name, const std::string& content) {
  return "<IPARAMVALUE NAME=\"" + name + "\">" + content + "</IPARAMVALUE>";
}
inline std::string ClassParameter(const std::string& name, const std::string& cls) {
  return Parameter(name, "<CLASSNAME NAME=\"" + cls + "\"/>");
}
inline std::string Text(const std::string& value) { return "<VALUE>" + value + "</VALUE>"; }

class Messages : public testing::Test {
 protected:
  Messages() : env_(1), enumerations_(env_.loop(), env_.random(), Limits()), server_(&enumerations_) {}
  static EnumerationLimits Limits() {
    EnumerationLimits limits;
    limits.open_max = 8;
    return limits;
  }

  HttpReply Send(HttpRequest request, HttpStream* stream = nullptr) {
    HttpReply reply;
    bool done = false;
    Spawn(server_.endpoint->Handle(std::move(request), peer_, stream), [&](HttpReply r) {
      reply = std::move(r);
      done = true;
    });
    EXPECT_TRUE(done);
    EXPECT_TRUE(IsUtf8(reply.body));
    return reply;
  }

  static HttpRequest Post(const std::string& method, const std::string& object, const std::string& body) {
    HttpRequest request;
    request.method = "POST";
    request.target = "/cimom";
    request.headers = {{"Host", "localhost"},          {"content-type", "application/xml; charset=\"utf-8\""},
                       {"CIMOperation", "MethodCall"}, {"CIMMethod", method},
                       {"CIMObject", object}};
    request.body = body;
    return request;
  }
  static std::string Message(const std::string& call) {
    return std::string(kDeclaration) +
           "<CIM CIMVERSION=\"2.0\" DTDVERSION=\"2.0\"><MESSAGE ID=\"1001\" PROTOCOLVERSION=\"1.0\"><SIMPLEREQ>"
               + call +
           "</SIMPLEREQ></MESSAGE></CIM>";
  }

  // The reply's text for an intrinsic operation; checks what holds for every message.
  std::string Call(const std::string& operation, const std::string& parameters, const std::string& ns = kDemoNs) {
    const std::string where = ns == kDemoNs ? "root/demo" : "nowhere";
    const HttpReply reply = Send(Post(operation, where, Message("<IMETHODCALL NAME=\"" + operation + "\">" + ns +
                                                                parameters + "</IMETHODCALL>")));
    return Content(reply, operation, "IMETHODRESPONSE");
  }
  std::string Invoke(const std::string& method, const std::string& name, const std::string& parameters) {
    const HttpReply reply =
        Send(Post(method, "root%2Fdemo%3ADemo_Librarian.Name=%22Ada%22",
                  Message("<METHODCALL NAME=\"" + method + "\"><LOCALINSTANCEPATH>" + kDemoNs + name +
                          "</LOCALINSTANCEPATH>" + parameters + "</METHODCALL>")));
    return Content(reply, method, "METHODRESPONSE");
  }
  static std::string Content(const HttpReply& reply, const std::string& name, const std::string& element) {
    EXPECT_EQ(reply.status, 200);
    const std::string head = fmt::format(
        "{}<CIM CIMVERSION=\"2.0\" DTDVERSION=\"2.0\"><MESSAGE ID=\"1001\" PROTOCOLVERSION=\"1.0\"><SIMPLERSP><{} "
        "NAME=\"{}\">", kDeclaration, element, name);
    const std::string tail = fmt::format("</{}></SIMPLERSP></MESSAGE></CIM>\n", element);
    EXPECT_TRUE(reply.body.starts_with(head)) << reply.body;
    EXPECT_TRUE(reply.body.ends_with(tail)) << reply.body;
    // What wbemcli's reader cannot take.
    for (const char* no : {"<!--", "CDATA", "&#", "VALUE.NULL", "<PROPERTY/>", "<VALUE/>", "<VALUE.ARRAY/>"})
      EXPECT_EQ(reply.body.find(no), std::string::npos) << no;
    return reply.body.substr(head.size(), reply.body.size() - head.size() - tail.size());
  }
  // The code of the ERROR in a reply's content; 0 when there is none.
  static int ErrorOf(const std::string& content) {
    const std::string mark = "<ERROR CODE=\"";
    return content.starts_with(mark) ? std::stoi(content.substr(mark.size())) : 0;
  }
  static bool Has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

  std::string peer_ = "test";
  sim::SimEnv env_;
  Enumerations enumerations_;
  demo::DemoServer server_;
};

}  // namespace lockstep::wbem
