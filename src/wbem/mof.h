// Reads MOF (DSP0004 annex A): class declarations, and `instance of` text where a value is an embedded instance.
// Sans-I/O; never fails otherwise than with a Status that names file, line and column.
//
// Types and flavors of the qualifiers that DSP0004 and the CIM schema declare are built in; the type of any other
// follows from its value. Qualifier declarations are read, and refused where they give a standard qualifier another
// type; what stands in the text of classes does not depend on them. #pragma lines are skipped; `instance of` at the top
// of a schema file is refused, since instances come from providers.
#pragma once

#include <string_view>
#include <vector>

#include "base/status.h"
#include "wbem/schema.h"

namespace lockstep::wbem {

inline constexpr int kMaxMofNesting = 8;  // of instances in instances

// The classes as declared (nothing inherited), in their order. The text must be UTF-8. Qualifier declarations are
// appended to `qualifiers`, if it is given.
Result<std::vector<ClassDecl>> ParseMof(const MofText& mof, std::vector<QualifierDecl>* qualifiers = nullptr);

// `instance of Class { Name = value; ... };`. Values are as written: numbers uint64 or sint64, datetimes strings,
// embedded instances either strings or nested `instance of`; typed later from the class (coerce.h). NULL elements and
// aliases are refused.
Result<Instance> ParseMofInstance(std::string_view text);

}  // namespace lockstep::wbem
