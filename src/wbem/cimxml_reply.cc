#include "wbem/cimxml_reply.h"

#include <algorithm>

#include <fmt/format.h>

#include "wbem/cimxml_values.h"
#include "wbem/xml_check.h"

namespace lockstep::wbem {
namespace {

std::string_view EmbeddedAttribute(const TypedElement& declared) {
  if (declared.type != CimType::kInstance) return "";
  return declared.object_class.empty() ? " EmbeddedObject=\"object\"" : " EmbeddedObject=\"instance\"";
}

}  // namespace

CimXmlReply::CimXmlReply(const CimXmlRequest& request, std::string_view host, CimXmlTemplates& templates,
                         ReplyDrain* drain)
    : operation_(request.request.operation),
      shape_(SpecOf(operation_).shape),
      intrinsic_(request.intrinsic),
      local_only_(request.request.local_only),
      include_qualifiers_(request.request.include_qualifiers),
      include_class_origin_(request.request.include_class_origin),
      property_list_(request.request.property_list),
      host_(host),
      templates_(templates),
      drain_(drain) {
  // Growing step by step would copy a long list several times.
  const Act act = SpecOf(operation_).act;
  const bool many = act == Act::kReadMany || act == Act::kOpen || act == Act::kPull;
  out_.reserve(drain_ && many ? kPiece + 16 * 1024 : 4096);
  out_ = "<?xml version=\"1.0\" encoding=\"utf-8\" ?>\n<CIM CIMVERSION=\"2.0\" DTDVERSION=\"2.0\"><MESSAGE";
  AppendAttribute(out_, "ID", request.message_id);
  out_ += " PROTOCOLVERSION=\"1.0\"><SIMPLERSP>";
  out_ += intrinsic_ ? "<IMETHODRESPONSE" : "<METHODRESPONSE";
  AppendAttribute(out_, "NAME", request.call);
  out_ += '>';
  content_ = out_.size();
  in_value_ = intrinsic_ && shape_ != Shape::kNothing;
  if (in_value_) out_ += "<IRETURNVALUE>";
}

void CimXmlReply::EndValue() {
  if (in_value_) out_ += "</IRETURNVALUE>";
  in_value_ = false;
}

void CimXmlReply::Error(const CimStatus& status) {
  const std::string code = std::to_string(static_cast<int>(status.code));
  const std::string_view name = CimCodeName(status.code);
  out_ += "<ERROR";
  AppendAttribute(out_, "CODE", code);
  AppendAttribute(out_, "DESCRIPTION", fmt::format("{}: {}", name, status.message));
  out_ += '>';
  if (!owning_entity_.empty()) {
    constexpr uint16_t kSoftwareError = 10, kMinor = 4;  // of CIM_Error.ErrorType and PerceivedSeverity
    Instance error("CIM_Error");
    error.Add("ErrorType", kSoftwareError).Add("OwningEntity", owning_entity_);
    error.Add("MessageID", fmt::format("CIM{:04}", static_cast<int>(status.code))).Add("Message", status.message);
    error.Add("PerceivedSeverity", kMinor);
    error.Add("CIMStatusCode", static_cast<uint32_t>(status.code)).Add("CIMStatusCodeDescription", name);
    AppendInstance(out_, error);
  }
  out_ += "</ERROR>";
}

std::string CimXmlReply::Finish(const CimStatus& status) {
  if (!status.ok() && !drained_) {
    out_.resize(content_);
    in_value_ = false;
    Error(status);
  }
  EndValue();
  out_ += intrinsic_ ? "</IMETHODRESPONSE>" : "</METHODRESPONSE>";
  out_ += "</SIMPLERSP></MESSAGE></CIM>\n";
  return std::move(out_);
}

Task<bool> CimXmlReply::Drain() {
  drained_ = true;
  Task<bool> take = drain_->Take(out_);
  const bool taken = co_await std::move(take);
  co_return taken;
}

void CimXmlReply::NamespacePath(const std::string& ns) {
  if (namespace_path_.empty() || ns_ != ns) {
    ns_ = ns;
    namespace_path_ = "<NAMESPACEPATH><HOST>";
    AppendXmlText(namespace_path_, host_);
    namespace_path_ += "</HOST>";
    AppendNamespacePath(namespace_path_, ns);
    namespace_path_ += "</NAMESPACEPATH>";
  }
  out_ += namespace_path_;
}

void CimXmlReply::InstancePath(const ObjectPath& path) {
  out_ += "<INSTANCEPATH>";
  NamespacePath(path.ns);
  AppendInstanceName(out_, path);
  out_ += "</INSTANCEPATH>";
}

void CimXmlReply::ClassPath(const ClassDecl& cls, const std::string& ns) {
  out_ += "<CLASSPATH>";
  NamespacePath(ns);
  out_ += "<CLASSNAME";
  AppendAttribute(out_, "NAME", cls.name);
  out_ += "/></CLASSPATH>";
}

void CimXmlReply::PutClassName(const ClassDecl& cls, const std::string& ns) {
  if (shape_ == Shape::kObjectPath) {
    out_ += "<OBJECTPATH>";
    ClassPath(cls, ns);
    out_ += "</OBJECTPATH>";
    return;
  }
  out_ += "<CLASSNAME";
  AppendAttribute(out_, "NAME", cls.name);
  out_ += "/>";
}

void CimXmlReply::PutClass(const ClassDecl& cls, const std::string& ns) {
  if (shape_ != Shape::kObject) {
    Class(cls, property_list_);
    return;
  }
  out_ += "<VALUE.OBJECTWITHPATH>";
  ClassPath(cls, ns);
  Class(cls, property_list_);
  out_ += "</VALUE.OBJECTWITHPATH>";
}

void CimXmlReply::PutPath(const ObjectPath& path) {
  if (shape_ == Shape::kInstanceName) {
    AppendInstanceName(out_, path);
  } else if (shape_ == Shape::kPulledPath) {
    InstancePath(path);
  } else {
    out_ += "<OBJECTPATH>";
    InstancePath(path);
    out_ += "</OBJECTPATH>";
  }
}

void CimXmlReply::PutInstance(const InstanceView& instance) {
  const ClassTemplate& form = templates_.For(instance.cls, include_class_origin_);
  if (shape_ == Shape::kInstance || shape_ == Shape::kPulledObject) {
    AppendByTemplate(out_, form, instance, include_class_origin_);
    return;
  }
  if (shape_ == Shape::kNamedInstance) {
    out_ += "<VALUE.NAMEDINSTANCE>";
    AppendNameByTemplate(out_, form, instance);
    AppendByTemplate(out_, form, instance, include_class_origin_);
    out_ += "</VALUE.NAMEDINSTANCE>";
    return;
  }
  const bool pulled = shape_ == Shape::kPulledInstance;
  out_ += pulled ? "<VALUE.INSTANCEWITHPATH><INSTANCEPATH>" : "<VALUE.OBJECTWITHPATH><INSTANCEPATH>";
  NamespacePath(instance.path.ns);
  AppendNameByTemplate(out_, form, instance);
  out_ += "</INSTANCEPATH>";
  AppendByTemplate(out_, form, instance, include_class_origin_);
  out_ += pulled ? "</VALUE.INSTANCEWITHPATH>" : "</VALUE.OBJECTWITHPATH>";
}

void CimXmlReply::PutQualifier(const QualifierDecl& q) {
  out_ += "<QUALIFIER.DECLARATION";
  AppendAttribute(out_, "NAME", q.name);
  AppendAttribute(out_, "TYPE", TypeName(q.type));
  out_ += q.array ? " ISARRAY=\"true\"" : " ISARRAY=\"false\"";
  if (q.array_size) AppendAttribute(out_, "ARRAYSIZE", std::to_string(*q.array_size));
  if (!q.overridable) out_ += " OVERRIDABLE=\"false\"";
  if (!q.to_subclass) out_ += " TOSUBCLASS=\"false\"";
  if (q.translatable) out_ += " TRANSLATABLE=\"true\"";
  out_ += "><SCOPE";
  static constexpr std::pair<uint8_t, std::string_view> kScopes[] = {
      {QualifierDecl::kClass, "CLASS"},         {QualifierDecl::kAssociation, "ASSOCIATION"},
      {QualifierDecl::kReference, "REFERENCE"}, {QualifierDecl::kProperty, "PROPERTY"},
      {QualifierDecl::kMethod, "METHOD"},       {QualifierDecl::kParameter, "PARAMETER"},
      {QualifierDecl::kIndication, "INDICATION"}};
  for (const auto& [bit, name] : kScopes)
    if (q.scope & bit) AppendAttribute(out_, name, "true");
  out_ += "></SCOPE>";
  AppendValue(out_, q.default_value);
  out_ += "</QUALIFIER.DECLARATION>";
}

void CimXmlReply::PutEnumeration(const std::string& context) {
  EndValue();
  if (!context.empty()) {
    out_ += "<PARAMVALUE NAME=\"EnumerationContext\" PARAMTYPE=\"string\"><VALUE>";
    AppendXmlText(out_, context);
    out_ += "</VALUE></PARAMVALUE>";
  }
  out_ += "<PARAMVALUE NAME=\"EndOfSequence\" PARAMTYPE=\"boolean\"><VALUE>";
  out_ += context.empty() ? "TRUE" : "FALSE";
  out_ += "</VALUE></PARAMVALUE>";
}

void CimXmlReply::PutQueryClass(const ClassDecl& cls, const PropertyList& properties) {
  EndValue();
  out_ += "<PARAMVALUE NAME=\"QueryResultClass\">";
  Class(cls, properties);
  out_ += "</PARAMVALUE>";
}

void CimXmlReply::Origin(const ClassDecl& cls, std::string_view origin, std::string_view declared_in) {
  if (include_class_origin_) AppendAttribute(out_, "CLASSORIGIN", origin);
  if (declared_in != cls.name) out_ += " PROPAGATED=\"true\"";
}

void CimXmlReply::QualifierList(const Qualifiers& qualifiers) {
  if (!include_qualifiers_) return;
  for (const Qualifier& q : qualifiers.list) {
    out_ += "<QUALIFIER";
    AppendAttribute(out_, "NAME", q.name);
    AppendAttribute(out_, "TYPE", TypeName(q.value.type()));
    if (!q.overridable) out_ += " OVERRIDABLE=\"false\"";
    if (!q.to_subclass) out_ += " TOSUBCLASS=\"false\"";
    if (q.translatable) out_ += " TRANSLATABLE=\"true\"";
    out_ += '>';
    AppendValue(out_, q.value);
    out_ += "</QUALIFIER>";
  }
}

void CimXmlReply::Class(const ClassDecl& cls, const PropertyList& properties) {
  out_ += "<CLASS";
  AppendAttribute(out_, "NAME", cls.name);
  if (!cls.superclass.empty()) AppendAttribute(out_, "SUPERCLASS", cls.superclass);
  out_ += '>';
  QualifierList(cls.qualifiers);
  for (const auto& p : cls.properties) {
    const bool listed = !properties || std::any_of(properties->begin(), properties->end(),
                                                   [&](auto& name) { return NameEquals(name, p->name); });
    if (listed && (!local_only_ || p->declared_in == cls.name)) ClassProperty(cls, *p);
  }
  for (const auto& m : cls.methods)
    if (!local_only_ || m->declared_in == cls.name) Method(cls, *m);
  out_ += "</CLASS>";
}

void CimXmlReply::ClassProperty(const ClassDecl& cls, const PropertyDecl& property) {
  // The qualifiers and attributes are written to the side, because they stand inside what AppendProperty writes.
  std::string text;
  std::swap(text, out_);
  Origin(cls, property.origin, property.declared_in);
  std::string attributes;
  std::swap(attributes, out_);
  QualifierList(property.qualifiers);
  std::swap(text, out_);
  AppendProperty(out_, property, property.default_value, attributes, text);
}

void CimXmlReply::Method(const ClassDecl& cls, const MethodDecl& method) {
  out_ += "<METHOD";
  AppendAttribute(out_, "NAME", method.name);
  AppendAttribute(out_, "TYPE", TypeName(method.type));
  Origin(cls, method.origin, method.declared_in);
  out_ += '>';
  QualifierList(method.qualifiers);
  for (const ParameterDecl& p : method.parameters) {
    const bool reference = p.type == CimType::kReference;
    const std::string_view element = reference ? (p.array ? "PARAMETER.REFARRAY" : "PARAMETER.REFERENCE")
                                               : (p.array ? "PARAMETER.ARRAY" : "PARAMETER");
    out_ += '<';
    out_ += element;
    AppendAttribute(out_, "NAME", p.name);
    if (reference) AppendAttribute(out_, "REFERENCECLASS", p.object_class);
    else AppendAttribute(out_, "TYPE", TypeName(p.type));
    if (p.array_size) AppendAttribute(out_, "ARRAYSIZE", std::to_string(*p.array_size));
    out_ += '>';
    QualifierList(p.qualifiers);
    out_ += "</";
    out_ += element;
    out_ += '>';
  }
  out_ += "</METHOD>";
}

void CimXmlReply::PutValue(const PropertyDecl&, const Value& value) { AppendValue(out_, value); }

void CimXmlReply::PutMethodResult(const MethodDecl& method, const Value& result, std::span<const Property> out) {
  if (!result.is_null()) {
    out_ += "<RETURNVALUE";
    AppendAttribute(out_, "PARAMTYPE", TypeName(method.type));
    out_ += EmbeddedAttribute(method);
    out_ += '>';
    AppendValue(out_, result);
    out_ += "</RETURNVALUE>";
  }
  for (const Property& p : out) {
    const ParameterDecl* declared = method.FindParameter(p.name);
    if (!declared || p.value.is_null()) continue;
    out_ += "<PARAMVALUE";
    AppendAttribute(out_, "NAME", declared->name);
    AppendAttribute(out_, "PARAMTYPE", TypeName(declared->type));
    out_ += EmbeddedAttribute(*declared);
    out_ += '>';
    AppendValue(out_, p.value);
    out_ += "</PARAMVALUE>";
  }
}

}  // namespace lockstep::wbem
