// Columns for people: as wide as their widest cell, numbers to the right. Programs use --json.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace lockstep::cli {

class Table {
 public:
  // A heading that begins with '>' is a column whose cells are set to the right (the '>' is not shown).
  explicit Table(std::vector<std::string> headings);
  // REQUIRES: as many cells as headings.
  void Add(std::vector<std::string> cells);
  bool empty() const { return rows_.empty(); }
  // With `indent` spaces before each line; every line ends in "\n" and none in a space.
  std::string ToString(size_t indent = 0) const;

 private:
  struct Column {
    std::string heading;
    bool right = false;
  };
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

// "key:  value" lines with the values aligned; pairs with an empty value are left out.
std::string KeyValues(const std::vector<std::pair<std::string, std::string>>& pairs);

// Columns that `text` takes on a terminal, one per code point: enough for names, which have no control characters.
size_t DisplayWidth(std::string_view text);

}  // namespace lockstep::cli
