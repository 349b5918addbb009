// The classes with which a CIM server describes itself (DSP1033's part that clients ask for): CIM_Namespace for each
// namespace, exactly one CIM_ObjectManager, and CIM_NamespaceInManager between them where the schema declares it.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "wbem/provider.h"

namespace lockstep::wbem {

struct ServerIdentity {
  std::string system_class;  // SystemCreationClassName
  std::string system_name;
  std::string name;          // unique: the key Name of the object manager
  std::string element_name;  // "Lockstep"
  std::string description;   // with "version x.y.z", which clients look for
};

// Serves the classes in `interop`, whose schema declares CIM_Namespace and CIM_ObjectManager with their DMTF keys. The
// namespaces are those of the registry's schema.
Status RegisterServerClasses(ProviderRegistry& registry, const std::string& interop, const ServerIdentity& identity);

}  // namespace lockstep::wbem
