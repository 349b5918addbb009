// Writes a CIM-XML response message (DSP0201 5.4.2), piece by piece, by appending text. The form is the one that stock
// clients accept, wbemcli's hand-written reader among them: literal UTF-8, no comments, no CDATA, no empty-element tags
// for elements that can have content, no VALUE.NULL, no elements within ERROR.
#pragma once

#include <string>
#include <string_view>

#include "wbem/cimxml_request.h"
#include "wbem/operations.h"

namespace lockstep::wbem {

class CimXmlReply final : public Reply {
 public:
  // `host` is what INSTANCEPATH names as HOST.
  CimXmlReply(const CimXmlRequest& request, std::string_view host);

  void PutClass(const ClassDecl& cls, const std::string& ns) override;
  void PutClassName(const ClassDecl& cls, const std::string& ns) override;
  void PutInstance(const InstanceView& instance) override;
  void PutPath(const ObjectPath& path) override;
  void PutValue(const PropertyDecl& property, const Value& value) override;
  void PutMethodResult(const MethodDecl& method, const Value& result, std::span<const Property> out) override;

  // The complete message. An error replaces all that has been put. Called once.
  std::string Finish(const CimStatus& status);

 private:
  bool IsTraversal() const;
  void Namespace(std::string_view ns);
  void InstancePath(const ObjectPath& path);
  void ClassPath(const ClassDecl& cls, const std::string& ns);
  void Class(const ClassDecl& cls);
  void QualifierList(const Qualifiers& qualifiers);
  void ClassProperty(const ClassDecl& cls, const PropertyDecl& property);
  void Method(const ClassDecl& cls, const MethodDecl& method);
  void Origin(const ClassDecl& cls, std::string_view origin, std::string_view declared_in);
  void InstanceProperties(const InstanceView& instance);

  const Operation operation_;
  const bool intrinsic_;
  const bool local_only_, include_qualifiers_, include_class_origin_;
  const std::optional<std::vector<std::string>> property_list_;
  const std::string host_;
  std::string out_;
  size_t content_;  // where the content of the response element begins
};

}  // namespace lockstep::wbem
