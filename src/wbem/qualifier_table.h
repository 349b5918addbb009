// The qualifiers of DSP0004 5.6 and of the CIM schema 2.41 (qualifiers.mof): their types and, where they are not the
// usual EnableOverride, ToSubclass, their flavors.
#pragma once

#include <string_view>

#include "wbem/objects.h"

namespace lockstep::wbem {

struct QualifierType {
  std::string_view name;
  CimType type;
  bool array = false;
  bool overridable = true;
  bool to_subclass = true;
  bool translatable = false;
};

// nullptr for one that is not standard.
const QualifierType* FindQualifierType(std::string_view name);

}  // namespace lockstep::wbem
