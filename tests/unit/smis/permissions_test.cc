// The table of roles: what changes something needs more than reading.
#include <gtest/gtest.h>

#include "smis/classes.h"
#include "smis/methods.h"
#include "smis/permissions.h"

namespace lockstep::smis {
namespace {

using access::Role;

TEST(Permissions, ReadersReadOperatorsReplicateAdministratorsDoTheRest) {
  EXPECT_EQ(NeededRole(kReplicationServiceClass, "GetReplicationRelationships"), Role::kMonitor);
  EXPECT_EQ(NeededRole(kReplicationServiceClass, "CreateGroup"), Role::kOperator);
  EXPECT_EQ(NeededRole(kStorageServiceClass, "ReturnToStoragePool"), Role::kOperator);
  EXPECT_EQ(NeededRole(kStorageServiceClass, "CreateOrModifyStoragePool"), Role::kAdministrator);
  EXPECT_EQ(NeededRole(kStorageServiceClass, "DeleteStoragePool"), Role::kAdministrator);
  EXPECT_EQ(NeededRole(kPoolClass, "GetAvailableExtents"), Role::kMonitor);
  EXPECT_EQ(NeededRole(kGroupClass, "ModifyInstance"), Role::kOperator);
  EXPECT_EQ(NeededRole(kPoolClass, "ModifyInstance"), Role::kAdministrator);
  EXPECT_EQ(NeededRole("CIM_Anything", "CreateInstance"), Role::kAdministrator);
}

TEST(Permissions, NoMethodThatChangesIsAReaders) {
  size_t methods = 0;
  for (const char* cls : {kReplicationServiceClass, kReplicationCapabilitiesClass, kStorageServiceClass, kPoolClass,
                          kJobClass}) {
    for (const Method& method : MethodsOf(cls)) {
      ++methods;
      const bool answers = method.name.starts_with("Get") || method.name.starts_with("Convert");
      EXPECT_EQ(NeededRole(cls, method.name) == Role::kMonitor, answers) << cls << "." << method.name;
    }
  }
  EXPECT_GT(methods, 30u);
}

TEST(Permissions, TheLastLineFitsEverything) {
  EXPECT_EQ(Permissions().back().class_name, "*");
  EXPECT_EQ(Permissions().back().act, "*");
  EXPECT_EQ(Permissions().back().role, Role::kAdministrator);
}

}  // namespace
}  // namespace lockstep::smis
