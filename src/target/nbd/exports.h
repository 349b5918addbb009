// What a server serves: volumes under names.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "base/status.h"
#include "block/volume.h"

namespace lockstep::nbd {

struct Export {
  std::string name;  // canonical, at most kMaxNameLength bytes
  std::string description;
  std::shared_ptr<block::Volume> volume;
  bool read_only = false;  // a read-only volume is exported read-only in any case
};

// Called on the server's loop, and answers at once. A change takes effect for connections made later.
class ExportTable {
 public:
  virtual ~ExportTable() = default;
  // The export that a client asks for; "" is the default one. not-found if there is none.
  virtual Result<Export> Find(std::string_view name) = 0;
  virtual std::vector<Export> List() = 0;  // what clients may see, in the order in which they shall see it
};

// A table in memory. "" is the only export when there is exactly one.
class ExportMap final : public ExportTable {
 public:
  // Replaces one of the same name.
  void Set(Export e) { exports_.insert_or_assign(e.name, e); }
  // False if there was none.
  bool Remove(const std::string& name) { return exports_.erase(name) > 0; }

  Result<Export> Find(std::string_view name) override {
    const auto found = name.empty() && exports_.size() == 1 ? exports_.begin() : exports_.find(name);
    if (found == exports_.end()) return NotFound(fmt::format("there is no export \"{}\"", name));
    return found->second;
  }
  std::vector<Export> List() override {
    std::vector<Export> all;
    for (const auto& [name, e] : exports_) all.push_back(e);
    return all;
  }

 private:
  std::map<std::string, Export, std::less<>> exports_;
};

}  // namespace lockstep::nbd
