// The page docs/interfaces/smis.md: which classes, operations and methods are there. Made from the schema, from the
// method tables that the providers use, and from what the capabilities advertise, so that it cannot promise more.
#pragma once

#include <string>

#include "wbem/schema.h"

namespace lockstep::smis {

// `schema` has been loaded by LoadSchema.
std::string SupportTable(const wbem::Schema& schema);

// What clients may change of instances of a class beyond calling methods.
struct WriteSupport {
  const char* class_name;
  const char* modifiable;  // properties that ModifyInstance accepts; empty: none
  bool deletable;          // by DeleteInstance
};
// nullptr for a class of which instances are read only.
const WriteSupport* FindWriteSupport(std::string_view class_name);

}  // namespace lockstep::smis
