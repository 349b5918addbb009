// What must survive a restart of filters, destinations and subscriptions: the instances as clients made them, each with
// its namespace, as one text with a checksum.
//
//   lockstep-indications 1 <CRC-32C of what follows, 8 hexadecimal digits>\n
//   <length in bytes> <namespace>\n<INSTANCE ...>...</INSTANCE>\n        for each
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "wbem/objects.h"

namespace lockstep::wbem {

// Where the text is kept. Blocking.
class IndicationStore {
 public:
  virtual ~IndicationStore() = default;
  // not-found: nothing has been saved yet.
  virtual Result<std::string> Load() = 0;
  // Durable when it answers OK; after a crash there is the old text or the new.
  virtual Status Save(std::string_view text) = 0;
  // The text cannot be read: puts it where it is in nobody's way and not lost; answers where that is.
  virtual Result<std::string> SetAside() = 0;
};

struct StoredInstance {
  std::string ns;
  Instance instance;
};

std::string EncodeStored(const std::vector<StoredInstance>& all);
// corrupted: it is not what EncodeStored wrote. not-supported: a newer version wrote it.
Result<std::vector<StoredInstance>> DecodeStored(std::string_view text);

}  // namespace lockstep::wbem
