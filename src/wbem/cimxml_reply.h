// Writes a CIM-XML response message (DSP0201 5.4.2), piece by piece, by appending text. The form is the one that stock
// clients accept, wbemcli's hand-written reader among them: literal UTF-8, no comments, no CDATA, no empty-element tags
// for elements that can have content, no VALUE.NULL, no elements within ERROR.
#pragma once

#include <string>
#include <string_view>

#include "wbem/cimxml_request.h"
#include "wbem/cimxml_templates.h"
#include "wbem/operations.h"

namespace lockstep::wbem {

// Takes the beginning of a reply that grows too large to be held; the end of it comes from Finish.
class ReplyDrain {
 public:
  virtual ~ReplyDrain() = default;
  // Sends `text` and empties it, keeping its memory. False when nobody reads it any more.
  virtual Task<bool> Take(std::string& text) = 0;
};

class CimXmlReply final : public Reply {
 public:
  using PropertyList = std::optional<std::vector<std::string>>;
  static constexpr size_t kPiece = 128 * 1024;  // what is held before Full

  // `host` is what INSTANCEPATH names as HOST. `templates` and `drain` outlive the reply; without a drain, the whole
  // reply is held.
  CimXmlReply(const CimXmlRequest& request, std::string_view host, CimXmlTemplates& templates,
              ReplyDrain* drain = nullptr);

  void PutClass(const ClassDecl& cls, const std::string& ns) override;
  void PutClassName(const ClassDecl& cls, const std::string& ns) override;
  void PutInstance(const InstanceView& instance) override;
  void PutPath(const ObjectPath& path) override;
  void PutValue(const PropertyDecl& property, const Value& value) override;
  void PutMethodResult(const MethodDecl& method, const Value& result, std::span<const Property> out) override;
  void PutQualifier(const QualifierDecl& qualifier) override;
  void PutEnumeration(const std::string& context) override;
  void PutQueryClass(const ClassDecl& cls, const PropertyList& properties) override;
  bool TakesKeys() const override { return true; }
  bool Full() const override { return drain_ && out_.size() >= kPiece; }
  Task<bool> Drain() override;

  // An owning entity, to be named by a CIM_Error within ERROR: for clients that can read one.
  void DescribeErrors(std::string_view owning_entity) { owning_entity_ = owning_entity; }

  // What has not been drained yet. An error replaces all that has been put, unless some of it has been drained: then
  // the message ends as if nothing had happened, and whoever sends it has to say that it is not complete. Called once.
  std::string Finish(const CimStatus& status);
  bool drained() const { return drained_; }

 private:
  void EndValue();
  void Error(const CimStatus& status);
  void NamespacePath(const std::string& ns);
  void InstancePath(const ObjectPath& path);
  void ClassPath(const ClassDecl& cls, const std::string& ns);
  void Class(const ClassDecl& cls, const PropertyList& properties);
  void QualifierList(const Qualifiers& qualifiers);
  void ClassProperty(const ClassDecl& cls, const PropertyDecl& property);
  void Method(const ClassDecl& cls, const MethodDecl& method);
  void Origin(const ClassDecl& cls, std::string_view origin, std::string_view declared_in);

  const Operation operation_;
  const Shape shape_;
  const bool intrinsic_;
  const bool local_only_, include_qualifiers_, include_class_origin_;
  const PropertyList property_list_;
  const std::string host_;
  CimXmlTemplates& templates_;
  ReplyDrain* const drain_;
  std::string owning_entity_;
  std::string out_;
  size_t content_;         // where the content of the response element begins
  bool in_value_ = false;  // IRETURNVALUE is open
  bool drained_ = false;
  std::string ns_, namespace_path_;  // NAMESPACEPATH of the namespace that came last
};

}  // namespace lockstep::wbem
