#include "wbem/cimxml_request.h"

#include <algorithm>

#include <fmt/format.h>

#include "wbem/cimxml_objects.h"

namespace lockstep::wbem {
namespace {

constexpr size_t kMaxListed = 4096;  // names in a PropertyList, parameters of a method

Result<std::string> ReadClassName(pugi::xml_node value) {
  if (!IsElement(value, "CLASSNAME")) return InvalidArgument("a CLASSNAME is expected");
  return RequiredAttribute(value, "NAME");
}

Result<std::string> ReadText(pugi::xml_node parameter) {
  LS_ASSIGN_OR_RETURN(const Value value, ReadValueOf(parameter, CimType::kString));
  const std::string* text = value.AsString();
  if (!text) return InvalidArgument("a single VALUE is expected");
  return *text;
}

Status ReadFlag(pugi::xml_node parameter, bool& flag) {
  LS_ASSIGN_OR_RETURN(const Value value, ReadValueOf(parameter, CimType::kBoolean));
  if (!value.AsBool()) return InvalidArgument("TRUE or FALSE is expected");
  flag = *value.AsBool();
  return {};
}

Status ReadList(pugi::xml_node parameter, std::optional<std::vector<std::string>>& list) {
  LS_ASSIGN_OR_RETURN(const Value value, ReadValueOf(parameter, CimType::kString));
  const Value::Elements* elements = value.AsArray();
  if (!elements) return InvalidArgument("a VALUE.ARRAY is expected");
  if (elements->size() > kMaxListed) return InvalidArgument("more than 4096 names are refused");
  list.emplace();
  for (const Value& e : *elements)
    if (const std::string* name = e.AsString()) list->push_back(*name);
  return {};
}

// Some clients name the namespace or the host too, which is in the message already.
Status ReadTarget(pugi::xml_node value, Slot slot, ObjectPath& target) {
  if (slot == Slot::kTargetClass || (slot == Slot::kTargetObject && IsElement(value, "CLASSNAME"))) {
    LS_ASSIGN_OR_RETURN(target.class_name, ReadClassName(value));
    return {};
  }
  if (IsElement(value, "CLASSNAME")) return InvalidArgument("an INSTANCENAME is expected");
  LS_ASSIGN_OR_RETURN(target, ReadObjectPath(value));
  return {};
}

Status ReadNumber(pugi::xml_node parameter, std::optional<uint32_t>& number) {
  LS_ASSIGN_OR_RETURN(const Value value, ReadValueOf(parameter, CimType::kUint32));
  const auto read = value.AsUnsigned();
  if (!read) return InvalidArgument("a number is expected");
  number = static_cast<uint32_t>(*read);
  return {};
}

// Only what says which class is meant: classes are not changed by clients.
Status ReadClass(pugi::xml_node value, OperationRequest& request) {
  if (!IsElement(value, "CLASS")) return InvalidArgument("a CLASS is expected");
  request.cls.emplace();
  LS_ASSIGN_OR_RETURN(request.cls->name, RequiredAttribute(value, "NAME"));
  request.cls->superclass = value.attribute("SUPERCLASS").value();
  return {};
}

Status ReadQualifierDeclaration(pugi::xml_node value, std::string& name) {
  if (!IsElement(value, "QUALIFIER.DECLARATION")) return InvalidArgument("a QUALIFIER.DECLARATION is expected");
  LS_ASSIGN_OR_RETURN(name, RequiredAttribute(value, "NAME"));
  return {};
}

Status ReadObject(pugi::xml_node value, Slot slot, OperationRequest& request) {
  if (slot == Slot::kInstance) {
    if (!IsElement(value, "INSTANCE")) return InvalidArgument("an INSTANCE is expected");
    LS_ASSIGN_OR_RETURN(request.instance, ReadInstance(value));
    return {};
  }
  if (!IsElement(value, "VALUE.NAMEDINSTANCE")) return InvalidArgument("a VALUE.NAMEDINSTANCE is expected");
  LS_ASSIGN_OR_RETURN(request.instance, ReadNamedInstance(value));
  request.target = request.instance.path;
  return {};
}

Status ReadName(Result<std::string> name, std::string& to) {
  LS_ASSIGN_OR_RETURN(to, std::move(name));
  return {};
}

Status ReadSlot(pugi::xml_node parameter, Slot slot, OperationRequest& request) {
  const pugi::xml_node value = FirstElement(parameter);
  if (bool* flag = FlagOf(request, slot)) return ReadFlag(parameter, *flag);
  switch (slot) {
    case Slot::kTargetClass:
    case Slot::kTargetInstance:
    case Slot::kTargetObject: return ReadTarget(value, slot, request.target);
    case Slot::kPropertyList: return ReadList(parameter, request.property_list);
    case Slot::kAssocClass: return ReadName(ReadClassName(value), request.assoc_class);
    case Slot::kResultClass: return ReadName(ReadClassName(value), request.result_class);
    case Slot::kRole: return ReadName(ReadText(parameter), request.role);
    case Slot::kResultRole: return ReadName(ReadText(parameter), request.result_role);
    case Slot::kInstance:
    case Slot::kNamedInstance: return ReadObject(value, slot, request);
    case Slot::kClass: return ReadClass(value, request);
    case Slot::kQualifierDeclaration: return ReadQualifierDeclaration(value, request.name);
    case Slot::kPropertyName:
    case Slot::kQualifierName: return ReadName(ReadText(parameter), request.name);
    case Slot::kFilterLanguage:
    case Slot::kQueryLanguage: return ReadName(ReadText(parameter), request.query_language);
    case Slot::kFilter:
    case Slot::kQuery: return ReadName(ReadText(parameter), request.query);
    case Slot::kOperationTimeout: return ReadNumber(parameter, request.operation_timeout);
    case Slot::kMaxObjectCount: return ReadNumber(parameter, request.max_object_count);
    case Slot::kEnumerationContext: return ReadName(ReadText(parameter), request.enumeration_context);
    default: break;  // kPropertyValue; the rest are flags
  }
  LS_ASSIGN_OR_RETURN(request.value, ReadValueOf(parameter, std::nullopt));
  return {};
}

// The parameters of an IMETHODCALL, behind its LOCALNAMESPACEPATH. What is wrong with one of them is a CIM error.
CimStatus ReadIntrinsicParameters(pugi::xml_node first, const OperationSpec& spec, OperationRequest& request) {
  std::vector<bool> given(spec.parameters.size());
  for (pugi::xml_node e = first; e; e = NextElement(e)) {
    const std::string_view name = e.attribute("NAME").as_string();
    const auto it = std::find_if(spec.parameters.begin(), spec.parameters.end(),
                                 [&](const ParameterSpec& p) { return NameEquals(p.name, name); });
    if (it == spec.parameters.end())
      return {CimCode::kNotSupported, fmt::format("{} has no parameter '{}'", spec.name, name.substr(0, 64))};
    const auto index = static_cast<size_t>(it - spec.parameters.begin());
    if (given[index])
      return {CimCode::kInvalidParameter, fmt::format("{}: parameter {} is given twice", spec.name, it->name)};
    // A parameter without content is one that is left out.
    if (!FirstElement(e)) continue;
    given[index] = true;
    const Status read = ReadSlot(e, it->slot, request);
    if (!read.ok()) return {CimCode::kInvalidParameter, fmt::format("{}: {}: {}", spec.name, it->name, read.message())};
  }
  for (size_t i = 0; i < given.size(); ++i)
    if (spec.parameters[i].required && !given[i])
      return {CimCode::kInvalidParameter,
              fmt::format("{}: parameter {} is missing", spec.name, spec.parameters[i].name)};
  return {};
}

Result<Argument> ReadArgument(pugi::xml_node node) {
  Argument argument;
  LS_ASSIGN_OR_RETURN(argument.name, RequiredAttribute(node, "NAME"));
  // wbemcli sends no PARAMTYPE, and TYPE is what some old clients call it.
  const pugi::xml_attribute paramtype = node.attribute("PARAMTYPE");
  const pugi::xml_attribute type_name = paramtype ? paramtype : node.attribute("TYPE");
  std::optional<CimType> type;
  if (type_name) {
    type = ParseTypeName(type_name.value());
    if (!type) return InvalidArgument(fmt::format("parameter '{}': '{}' is no type", argument.name, type_name.value()));
  }
  // Text parsed as a string may yet be a datetime or an embedded instance, by the declaration: no type says those.
  argument.typed = type && *type != CimType::kReference;
  Result<Value> value = ReadValueOf(node, type);
  if (!value.ok()) return value.status().WithContext("parameter '" + argument.name + "'");
  argument.value = *std::move(value);
  return argument;
}

Status CheckCall(pugi::xml_node first, std::string_view parameter_element, std::string_view call) {
  size_t count = 0;
  for (pugi::xml_node e = first; e; e = NextElement(e)) {
    if (!IsElement(e, parameter_element))
      return InvalidArgument(fmt::format("element {} is not expected in {}", e.name(), call));
    if (++count > kMaxListed) return InvalidArgument("more than 4096 parameters are refused");
  }
  return {};
}

Status ReadIntrinsicCall(pugi::xml_node call, CimXmlRequest& out) {
  const pugi::xml_node where = FirstElement(call);
  LS_ASSIGN_OR_RETURN(const std::string ns, ReadNamespace(where));
  LS_RETURN_IF_ERROR(CheckCall(NextElement(where), "IPARAMVALUE", "IMETHODCALL"));
  const OperationSpec* spec = FindOperation(out.call);
  out.request.ns = ns;
  if (!spec) {
    out.status = {CimCode::kNotSupported, fmt::format("this server has no operation {}", out.call.substr(0, 64))};
    return {};
  }
  out.request = RequestFor(spec->operation);
  out.request.ns = ns;
  out.status = ReadIntrinsicParameters(NextElement(where), *spec, out.request);
  return {};
}

Status ReadMethodCall(pugi::xml_node call, CimXmlRequest& out) {
  const pugi::xml_node where = FirstElement(call);
  out.intrinsic = false;
  out.request = RequestFor(Operation::kInvokeMethod);
  out.request.name = out.call;
  if (!IsElement(where, "LOCALINSTANCEPATH") && !IsElement(where, "LOCALCLASSPATH"))
    return InvalidArgument("METHODCALL begins with LOCALINSTANCEPATH or LOCALCLASSPATH");
  LS_ASSIGN_OR_RETURN(out.request.target, ReadObjectPath(where));
  out.request.ns = out.request.target.ns;
  LS_RETURN_IF_ERROR(CheckCall(NextElement(where), "PARAMVALUE", "METHODCALL"));
  for (pugi::xml_node e = NextElement(where); e; e = NextElement(e)) {
    Result<Argument> argument = ReadArgument(e);
    if (!argument.ok()) {
      out.status = argument.status();
      return {};
    }
    out.request.arguments.push_back(*std::move(argument));
  }
  return {};
}

HttpRefusal NotValid(std::string detail) { return {400, "request-not-valid", std::move(detail)}; }

bool HasMajor(pugi::xml_node node, const char* attribute, std::string_view major) {
  return std::string_view(node.attribute(attribute).value()).starts_with(major);
}

std::optional<HttpRefusal> CheckVersions(pugi::xml_node cim, pugi::xml_node message) {
  if (!HasMajor(cim, "CIMVERSION", "2."))
    return HttpRefusal{501, "unsupported-cim-version", "CIMVERSION 2.x is spoken here"};
  if (!HasMajor(cim, "DTDVERSION", "2."))
    return HttpRefusal{501, "unsupported-dtd-version", "DTDVERSION 2.x is spoken here"};
  if (!HasMajor(message, "PROTOCOLVERSION", "1."))
    return HttpRefusal{501, "unsupported-protocol-version", "PROTOCOLVERSION 1.x is spoken here"};
  return std::nullopt;
}

}  // namespace

std::optional<HttpRefusal> DecodeCimXml(std::string_view body, CimXmlRequest& request) {
  pugi::xml_document document;
  const Result<pugi::xml_node> cim = ParseXmlDocument(body, "CIM", document);
  if (!cim.ok()) {
    const bool malformed = cim.status().code() == Code::kInvalidArgument;
    return HttpRefusal{400, malformed ? "request-not-well-formed" : "request-not-valid", cim.status().message()};
  }
  const pugi::xml_node message = FirstElement(*cim);
  if (!IsElement(message, "MESSAGE") || NextElement(message)) return NotValid("CIM holds exactly one MESSAGE");
  if (auto refusal = CheckVersions(*cim, message)) return refusal;
  const Result<std::string> id = RequiredAttribute(message, "ID");
  if (!id.ok()) return NotValid(id.status().message());
  request.message_id = *id;
  request.protocol_version = message.attribute("PROTOCOLVERSION").value();
  request.dtd_version = cim->attribute("DTDVERSION").value();
  const pugi::xml_node kind = FirstElement(message);
  // CIMBatch would have been refused before; without it the header and the body disagree (DSP0200 6.2.7).
  if (IsElement(kind, "MULTIREQ"))
    return HttpRefusal{400, "header-mismatch", "MULTIREQ needs CIMBatch, which is refused"};
  const pugi::xml_node call = FirstElement(kind);
  if (!IsElement(kind, "SIMPLEREQ") || NextElement(kind) || !call || NextElement(call))
    return NotValid("MESSAGE holds one SIMPLEREQ with one call");
  const bool intrinsic = IsElement(call, "IMETHODCALL");
  if (!intrinsic && !IsElement(call, "METHODCALL")) return NotValid("a call is IMETHODCALL or METHODCALL");
  const Result<std::string> name = RequiredAttribute(call, "NAME");
  if (!name.ok()) return NotValid(name.status().message());
  request.call = *name;
  const Status read = intrinsic ? ReadIntrinsicCall(call, request) : ReadMethodCall(call, request);
  if (!read.ok()) return NotValid(read.message());
  return std::nullopt;
}

}  // namespace lockstep::wbem
