#include "wbem/cimxml_templates.h"

#include "wbem/cimxml_values.h"
#include "wbem/operations.h"

namespace lockstep::wbem {
namespace {

std::string OriginAttribute(const PropertyDecl& declared, bool wanted) {
  std::string text;
  if (wanted) AppendAttribute(text, "CLASSORIGIN", declared.origin);
  return text;
}

PropertyTemplate MakeProperty(const PropertyDecl& declared, bool with_class_origin) {
  PropertyTemplate form;
  form.plain = declared.type != CimType::kInstance;
  AppendProperty(form.null, declared, Value::Null(declared.type, declared.array),
                 OriginAttribute(declared, with_class_origin), "");
  const size_t end = form.null.rfind("</");
  form.open = form.null.substr(0, end);
  form.close = form.null.substr(end);
  form.scalar = form.plain && !declared.array && declared.type != CimType::kReference;
  if (form.scalar) {
    form.open += "<VALUE>";
    form.close.insert(0, "</VALUE>");
  }
  return form;
}

ClassTemplate::Key MakeKey(const PropertyDecl& declared) {
  ClassTemplate::Key key{&declared, "<KEYBINDING", {}};
  AppendAttribute(key.open, "NAME", declared.name);
  key.open += '>';
  if (declared.type == CimType::kReference) {
    key.close = "</KEYBINDING>";
    return key;
  }
  key.open += KeyValueTag(declared.type);
  key.close = "</KEYVALUE></KEYBINDING>";
  return key;
}

std::unique_ptr<ClassTemplate> Make(const ClassDecl& cls, bool with_class_origin) {
  auto form = std::make_unique<ClassTemplate>();
  form->open = "<INSTANCE";
  AppendAttribute(form->open, "CLASSNAME", cls.name);
  form->open += '>';
  form->name_open = "<INSTANCENAME";
  AppendAttribute(form->name_open, "CLASSNAME", cls.name);
  form->name_open += '>';
  for (const auto& p : cls.properties) {
    form->properties.push_back(MakeProperty(*p, with_class_origin));
    if (p->key) form->keys.push_back(MakeKey(*p));
  }
  return form;
}

}  // namespace

const ClassTemplate& CimXmlTemplates::For(const ClassDecl& cls, bool with_class_origin) {
  std::unique_ptr<ClassTemplate>& form = (with_class_origin ? with_origin_ : plain_)[&cls];
  if (!form) form = Make(cls, with_class_origin);
  return *form;
}

void AppendByTemplate(std::string& out, const ClassTemplate& form, const InstanceView& instance,
                      bool with_class_origin) {
  out += form.open;
  for (size_t i = 0; i < instance.values.size(); ++i) {
    const Value* value = instance.values[i];
    if (!value) continue;
    const PropertyTemplate& property = form.properties[i];
    if (value->is_null()) {
      out += property.null;
    } else if (property.plain) {
      out += property.open;
      if (property.scalar) AppendText(out, *value);
      else AppendValue(out, *value);
      out += property.close;
    } else {
      const PropertyDecl& declared = *instance.cls.properties[i];
      AppendProperty(out, declared, *value, OriginAttribute(declared, with_class_origin), "");
    }
  }
  out += "</INSTANCE>";
}

void AppendNameByTemplate(std::string& out, const ClassTemplate& form, const InstanceView& instance) {
  if (!instance.keys.empty()) {
    out += form.name_open;
    for (size_t i = 0; i < form.keys.size(); ++i) {
      out += form.keys[i].open;
      AppendText(out, *instance.keys[i]);
      out += form.keys[i].close;
    }
    out += "</INSTANCENAME>";
    return;
  }
  // Keys that a provider wrote in another order or type are written as they are.
  const ObjectPath& path = instance.path;
  bool alike = path.keys.size() == form.keys.size();
  for (size_t i = 0; alike && i < form.keys.size(); ++i) {
    const PropertyDecl& declared = *form.keys[i].declared;
    alike = path.keys[i].name == declared.name && path.keys[i].value.type() == declared.type;
  }
  if (!alike) {
    AppendInstanceName(out, path);
    return;
  }
  out += form.name_open;
  for (size_t i = 0; i < form.keys.size(); ++i) {
    out += form.keys[i].open;
    AppendText(out, path.keys[i].value);
    out += form.keys[i].close;
  }
  out += "</INSTANCENAME>";
}

}  // namespace lockstep::wbem
