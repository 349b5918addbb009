// Queries and filters: WQL, and DMTF's query language (CQL, DSP0202) and filter query language (FQL, DSP0212) as far as
// clients use them. Parsed once (query_parser.cc), evaluated against instances (query.cc). Sans-I/O.
//
//   SELECT * | property, ...  FROM class  [WHERE condition]          WQL, DMTF:CQL
//   condition                                                         DMTF:FQL
//
// A condition: AND, OR, NOT, parentheses; = <> != < <= > >= between properties and literals in either order; LIKE;
// IS [NOT] NULL; ISA class; ANY and EVERY before an array; array[index], array[*]; properties of embedded instances and
// of references (SourceInstance.Name), with their class (SourceInstance.CIM_X::Name). Literals: numbers, 'text' or
// "text", TRUE, FALSE, NULL. NULL compared with anything is unknown, and what is unknown does not match.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "wbem/errors.h"
#include "wbem/objects.h"
#include "wbem/schema.h"

namespace lockstep::wbem {

inline constexpr size_t kMaxQueryText = 64 * 1024;
inline constexpr int kMaxQueryNesting = 64;  // of parentheses and NOT

enum class QueryLanguage : uint8_t { kWql, kCql, kFql };

namespace query {
struct Condition;
}

class Query {
 public:
  Query();
  ~Query();
  Query(Query&&) noexcept;
  Query& operator=(Query&&) noexcept;

  // What ExecQuery and OpenQueryInstances take: WQL or DMTF:CQL. Errors: 14 for another language, 15 for text that is
  // no query of the language, 29 for what the language has and this server has not.
  static CimStatus Parse(std::string_view language, std::string_view text, Query& query);
  // What the other open operations take: DMTF:FQL, or a query whose class and condition narrow the result.
  static CimStatus ParseFilter(std::string_view language, std::string_view text, Query& query);

  // Empty for a filter without class.
  const std::string& class_name() const { return class_name_; }
  // The properties to show; none: all.
  const std::optional<std::vector<std::string>>& selected() const { return selected_; }
  // 15 when it names a property that neither `cls` nor a subclass has, or a class that is not declared.
  CimStatus Check(const Schema& schema, const std::string& ns, const ClassDecl& cls) const;
  // `instance` is of class `cls`; properties that it does not have count with their declared defaults.
  bool Matches(const Schema& schema, const std::string& ns, const ClassDecl& cls, const Instance& instance) const;
  // The path that the condition pins down by an equality for every key of `cls`; nothing when it does not.
  std::optional<ObjectPath> PinnedPath(const ClassDecl& cls, const std::string& ns) const;
  // The class that the condition demands of an embedded instance (`SourceInstance ISA CIM_X AND ...`); empty when it
  // demands none.
  std::string DemandedClass(std::string_view property) const;

 private:
  friend class QueryParser;
  QueryLanguage language_ = QueryLanguage::kFql;
  std::string class_name_;
  std::optional<std::vector<std::string>> selected_;
  std::unique_ptr<query::Condition> where_;  // null: everything matches
};

}  // namespace lockstep::wbem
