#include "wbem/cimxml_reply.h"

#include <algorithm>

#include <fmt/format.h>

#include "wbem/cimxml_values.h"

namespace lockstep::wbem {
namespace {

bool ReturnsSomething(Operation operation) {
  return operation != Operation::kModifyInstance && operation != Operation::kDeleteInstance &&
         operation != Operation::kSetProperty && operation != Operation::kInvokeMethod;
}

std::string_view EmbeddedAttribute(const TypedElement& declared) {
  if (declared.type != CimType::kInstance) return "";
  return declared.object_class.empty() ? " EmbeddedObject=\"object\"" : " EmbeddedObject=\"instance\"";
}

}  // namespace

CimXmlReply::CimXmlReply(const CimXmlRequest& request, std::string_view host)
    : operation_(request.request.operation),
      intrinsic_(request.intrinsic),
      local_only_(request.request.local_only),
      include_qualifiers_(request.request.include_qualifiers),
      include_class_origin_(request.request.include_class_origin),
      property_list_(request.request.property_list),
      host_(host) {
  out_.reserve(4096);
  out_ = "<?xml version=\"1.0\" encoding=\"utf-8\" ?>\n<CIM CIMVERSION=\"2.0\" DTDVERSION=\"2.0\"><MESSAGE";
  AppendAttribute(out_, "ID", request.message_id);
  out_ += " PROTOCOLVERSION=\"1.0\"><SIMPLERSP>";
  out_ += intrinsic_ ? "<IMETHODRESPONSE" : "<METHODRESPONSE";
  AppendAttribute(out_, "NAME", request.call);
  out_ += '>';
  content_ = out_.size();
  if (ReturnsSomething(operation_)) out_ += "<IRETURNVALUE>";
}

std::string CimXmlReply::Finish(const CimStatus& status) {
  if (!status.ok()) {
    out_.resize(content_);
    out_ += "<ERROR";
    AppendAttribute(out_, "CODE", std::to_string(static_cast<int>(status.code)));
    AppendAttribute(out_, "DESCRIPTION", fmt::format("{}: {}", CimCodeName(status.code), status.message));
    out_ += "></ERROR>";
  } else if (ReturnsSomething(operation_)) {
    out_ += "</IRETURNVALUE>";
  }
  out_ += intrinsic_ ? "</IMETHODRESPONSE>" : "</METHODRESPONSE>";
  out_ += "</SIMPLERSP></MESSAGE></CIM>\n";
  return std::move(out_);
}

bool CimXmlReply::IsTraversal() const {
  return operation_ >= Operation::kAssociators && operation_ <= Operation::kReferenceNames;
}

void CimXmlReply::Namespace(std::string_view ns) {
  out_ += "<NAMESPACEPATH><HOST>";
  out_ += host_;
  out_ += "</HOST>";
  AppendNamespacePath(out_, ns);
  out_ += "</NAMESPACEPATH>";
}

void CimXmlReply::InstancePath(const ObjectPath& path) {
  out_ += "<INSTANCEPATH>";
  Namespace(path.ns);
  AppendInstanceName(out_, path);
  out_ += "</INSTANCEPATH>";
}

void CimXmlReply::ClassPath(const ClassDecl& cls, const std::string& ns) {
  out_ += "<CLASSPATH>";
  Namespace(ns);
  out_ += "<CLASSNAME";
  AppendAttribute(out_, "NAME", cls.name);
  out_ += "/></CLASSPATH>";
}

void CimXmlReply::PutClassName(const ClassDecl& cls, const std::string& ns) {
  if (IsTraversal()) {
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
  if (!IsTraversal()) {
    Class(cls);
    return;
  }
  out_ += "<VALUE.OBJECTWITHPATH>";
  ClassPath(cls, ns);
  Class(cls);
  out_ += "</VALUE.OBJECTWITHPATH>";
}

void CimXmlReply::PutPath(const ObjectPath& path) {
  if (!IsTraversal()) {
    AppendInstanceName(out_, path);
    return;
  }
  out_ += "<OBJECTPATH>";
  InstancePath(path);
  out_ += "</OBJECTPATH>";
}

void CimXmlReply::PutInstance(const InstanceView& instance) {
  if (IsTraversal()) {
    out_ += "<VALUE.OBJECTWITHPATH>";
    InstancePath(instance.path);
    InstanceProperties(instance);
    out_ += "</VALUE.OBJECTWITHPATH>";
  } else if (operation_ == Operation::kEnumerateInstances) {
    out_ += "<VALUE.NAMEDINSTANCE>";
    AppendInstanceName(out_, instance.path);
    InstanceProperties(instance);
    out_ += "</VALUE.NAMEDINSTANCE>";
  } else {
    InstanceProperties(instance);
  }
}

void CimXmlReply::Origin(const ClassDecl& cls, std::string_view origin, std::string_view declared_in) {
  if (include_class_origin_) AppendAttribute(out_, "CLASSORIGIN", origin);
  if (declared_in != cls.name) out_ += " PROPAGATED=\"true\"";
}

void CimXmlReply::InstanceProperties(const InstanceView& instance) {
  out_ += "<INSTANCE";
  AppendAttribute(out_, "CLASSNAME", instance.cls.name);
  out_ += '>';
  std::string origin;
  for (size_t i = 0; i < instance.values.size(); ++i) {
    if (!instance.values[i]) continue;
    const PropertyDecl& declared = *instance.cls.properties[i];
    origin.clear();
    if (include_class_origin_) AppendAttribute(origin, "CLASSORIGIN", declared.origin);
    AppendProperty(out_, declared, *instance.values[i], origin, "");
  }
  out_ += "</INSTANCE>";
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

void CimXmlReply::Class(const ClassDecl& cls) {
  out_ += "<CLASS";
  AppendAttribute(out_, "NAME", cls.name);
  if (!cls.superclass.empty()) AppendAttribute(out_, "SUPERCLASS", cls.superclass);
  out_ += '>';
  QualifierList(cls.qualifiers);
  for (const auto& p : cls.properties) {
    const bool listed = !property_list_ || std::any_of(property_list_->begin(), property_list_->end(),
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
