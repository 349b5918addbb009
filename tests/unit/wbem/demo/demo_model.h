// A small model that has nothing to do with storage: a library of shelves and books. It exercises every kind of class,
// value and method that the CIM server knows, in unit tests and behind the server of tests/external/wbem.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "wbem/cimxml_endpoint.h"
#include "wbem/core.h"
#include "wbem/provider.h"
#include "wbem/schema.h"

namespace lockstep::wbem::demo {

inline constexpr const char* kNamespace = "root/demo";
inline constexpr const char* kInterop = "interop";

extern const char* const kDemoMof;
extern const char* const kInteropMof;

// Schema, providers, core and endpoint, wired.
class DemoServer {
 public:
  // `enumerations`, if given, outlives the server.
  explicit DemoServer(Enumerations* enumerations = nullptr);

  struct Book {
    std::string title;
    uint16_t pages = 0;
    std::vector<std::string> authors;
    std::string shelf;
  };

  Schema schema;
  std::map<std::string, Book> books;  // by ISBN
  std::vector<std::string> shelves;
  bool shelves_fail = false;  // enumerating them does, after all have been given
  std::unique_ptr<ProviderRegistry> registry;
  std::unique_ptr<OperationCore> core;
  std::unique_ptr<CimXmlEndpoint> endpoint;
};

ObjectPath BookPath(const std::string& isbn);
ObjectPath ShelfPath(const std::string& id);

}  // namespace lockstep::wbem::demo
