// What the CLI prints and how it ends.
#include <gtest/gtest.h>

#include <set>

#include "apps/lockstep/exit_code.h"
#include "apps/lockstep/table.h"
#include "base/status.h"

namespace lockstep::cli {
namespace {

TEST(Table, ColumnsAreAsWideAsTheirWidestCell) {
  Table table({"NAME", ">SIZE"});
  table.Add({"a", "1 KiB"});
  table.Add({"größer", "10 GiB"});
  EXPECT_EQ(table.ToString(),
            "NAME      SIZE\n"
            "a        1 KiB\n"
            "größer  10 GiB\n");
}

TEST(Table, LinesDoNotEndInSpaces) {
  Table table({"NAME", "POOL"});
  table.Add({"a", ""});
  EXPECT_EQ(table.ToString(), "NAME  POOL\na\n");
}

TEST(KeyValues, AreAlignedAndLeaveOutWhatIsEmpty) {
  EXPECT_EQ(KeyValues({{"name", "db"}, {"problem", ""}, {"newest position", "7"}}),
            "name:             db\n"
            "newest position:  7\n");
}

TEST(ExitCodes, EveryErrorHasOneOfItsOwnAndHelpNamesIt) {
  std::set<int> codes;
  for (int code = 1; code <= static_cast<int>(Code::kInternal); ++code) {
    const std::string_view name = CodeName(static_cast<Code>(code));
    const int exit_code = ExitCodeOf(name);
    EXPECT_GE(exit_code, 10) << name;
    EXPECT_TRUE(codes.insert(exit_code).second) << name;
    const std::string line = std::to_string(exit_code) + "  " + std::string(name);
    EXPECT_NE(ExitCodeHelp().find(line), std::string_view::npos) << line;
  }
  EXPECT_EQ(ExitCodeOf("something-new"), 1);
}

}  // namespace
}  // namespace lockstep::cli
