// The same client as in fixture.h, speaking CIM-XML: every call goes out as the text of a request through header
// checks, parsing, typing and dispatch, and what is looked at is read from the text of the reply.
#pragma once

#include <pugixml.hpp>

#include <string>
#include <utility>
#include <vector>

#include "tests/unit/smis/fixture.h"
#include "wbem/cimxml_endpoint.h"
#include "wbem/cimxml_objects.h"
#include "wbem/cimxml_values.h"

namespace lockstep::smis {

class WireTest : public SmisTest {
 protected:
  Called Call(const ObjectPath& object, const std::string& method, const std::vector<Property>& arguments = {}) {
    std::string text = "<METHODCALL NAME=\"" + method + "\"><LOCALINSTANCEPATH>";
    wbem::AppendNamespacePath(text, object.ns);
    wbem::AppendInstanceName(text, object);
    text += "</LOCALINSTANCEPATH>";
    for (const Property& argument : arguments) {
      // Without PARAMTYPE, as some clients have it: the types are the schema's.
      text += "<PARAMVALUE NAME=\"" + argument.name.str() + "\">";
      wbem::AppendValue(text, argument.value);
      text += "</PARAMVALUE>";
    }
    text += "</METHODCALL>";
    ObjectPath local = object;
    local.host.clear();
    Send(method, local.ToString(), text);
    return ReadCalled(document_.select_node("//METHODRESPONSE").node());
  }

  Instance GetByWire(const ObjectPath& path) {
    std::string text = "<IMETHODCALL NAME=\"GetInstance\">";
    wbem::AppendNamespacePath(text, path.ns);
    text += "<IPARAMVALUE NAME=\"InstanceName\">";
    wbem::AppendInstanceName(text, path);
    text += "</IPARAMVALUE></IMETHODCALL>";
    Send("GetInstance", path.ns, text);
    const pugi::xml_node node = document_.select_node("//INSTANCE").node();
    if (!node) return {};
    Result<Instance> instance = wbem::ReadInstance(node);
    EXPECT_TRUE(instance.ok()) << instance.status().message();
    return instance.ok() ? *instance : Instance();
  }

  uint64_t CopyStateByWire(const ObjectPath& relationship) {
    return GetByWire(relationship)["CopyState"].AsUnsigned().value_or(0);
  }

 private:
  void Send(const std::string& method, const std::string& object, const std::string& call) {
    wbem::HttpRequest request;
    request.method = "POST";
    request.target = "/cimom";
    request.headers = {{"Host", "localhost"},
                       {"Content-Type", "application/xml; charset=utf-8"},
                       {"CIMOperation", "MethodCall"},
                       {"CIMMethod", method},
                       {"CIMObject", object}};
    request.body = "<?xml version=\"1.0\" encoding=\"utf-8\" ?><CIM CIMVERSION=\"2.0\" DTDVERSION=\"2.0\"><MESSAGE "
                   "ID=\"1\" PROTOCOLVERSION=\"1.0\"><SIMPLEREQ>" + call + "</SIMPLEREQ></MESSAGE></CIM>";
    reply_ = Run(endpoint_.Handle(std::move(request), "here"));
    ASSERT_EQ(reply_.status, 200) << method << " " << object;
    ASSERT_TRUE(document_.load_string(reply_.body.c_str())) << reply_.body;
  }

  Called ReadCalled(pugi::xml_node response) {
    Called called;
    if (const pugi::xml_node error = response.child("ERROR")) {
      called.status.code = static_cast<CimCode>(error.attribute("CODE").as_int());
      called.status.message = error.attribute("DESCRIPTION").as_string();
      return called;
    }
    called.code = response.child("RETURNVALUE").child("VALUE").text().as_uint(0xffffffff);
    for (pugi::xml_node one = response.child("PARAMVALUE"); one; one = one.next_sibling("PARAMVALUE")) {
      const std::string word = one.attribute("PARAMTYPE").as_string();
      std::optional<wbem::CimType> type = wbem::ParseTypeName(word);
      Result<Value> value = wbem::ReadValueOf(one, type);
      EXPECT_TRUE(value.ok()) << value.status().message() << reply_.body;
      if (value.ok()) called.out[one.attribute("NAME").as_string()] = *value;
    }
    return called;
  }

  wbem::CimXmlEndpoint endpoint_{core_, "localhost"};
  wbem::HttpReply reply_;
  pugi::xml_document document_;
};

}  // namespace lockstep::smis
