// Prints the documentation that is generated from the relationship table.
#include <cstdio>

#include "replication/table.h"

int main() {
  const std::string page = lockstep::replication::TableAsMarkdown();
  return std::fwrite(page.data(), 1, page.size(), stdout) == page.size() ? 0 : 1;
}
