#include "catalog/encoding.h"

#include <concepts>
#include <type_traits>
#include <utility>

#include "base/codec.h"
#include "catalog/fields.h"

namespace lockstep::catalog {
namespace {

constexpr uint8_t kVersion = 2;  // of the fields as well; what an earlier one wrote is read
constexpr size_t kMaxText = 1 << 20;
constexpr size_t kMaxObjects = 1'000'000;

class FieldWriter {
 public:
  explicit FieldWriter(std::string& out) : out_(out) {}
  template <typename Tag>
  void operator()(const char*, const Id<Tag>& id) { out_.Bytes(id.uuid.bytes); }
  void operator()(const char*, const std::string& text) { out_.String(text); }
  void operator()(const char*, const WallTime& time) { out_.Little(static_cast<uint64_t>(time.us)); }
  void operator()(const char*, bool flag) { out_.Little<uint8_t>(flag); }
  template <std::unsigned_integral T>
    requires(!std::same_as<T, bool>)
  void operator()(const char*, T number) { out_.Little(number); }
  template <typename E>
    requires std::is_enum_v<E>
  void operator()(const char*, E value) { out_.Little(static_cast<std::underlying_type_t<E>>(value)); }
  template <typename Tag>
  void operator()(const char*, const std::vector<Id<Tag>>& ids) { out_.String(EncodeIds(ids)); }

 private:
  Encoder out_;
};

class FieldReader {
 public:
  FieldReader(Decoder& in, int version) : in_(in), version_(version) {}
  int version() const { return version_; }
  template <typename Tag>
  void operator()(const char*, Id<Tag>& id) { in_.Bytes(id.uuid.bytes); }
  void operator()(const char*, std::string& text) { text = in_.String(kMaxText); }
  void operator()(const char*, WallTime& time) { time.us = static_cast<int64_t>(in_.Little<uint64_t>()); }
  void operator()(const char*, bool& flag) { flag = in_.Little<uint8_t>() != 0; }
  template <std::unsigned_integral T>
    requires(!std::same_as<T, bool>)
  void operator()(const char*, T& number) { number = in_.Little<T>(); }
  template <typename E>
    requires std::is_enum_v<E>
  void operator()(const char*, E& value) { value = static_cast<E>(in_.Little<std::underlying_type_t<E>>()); }
  template <typename Tag>
  void operator()(const char*, std::vector<Id<Tag>>& ids) {
    if (!DecodeIds(in_.String(kMaxObjects * 16), ids)) in_.View(in_.remaining() + 1);
  }

 private:
  Decoder& in_;
  const int version_;
};

// The alternative number `kind` of a variant, default-constructed; nothing when there is none of that number.
template <typename Variant>
std::optional<Variant> MakeAlternative(size_t kind) {
  std::optional<Variant> made;
  ForEachKind([&](auto index) {
    if (index == kind) made.emplace(std::in_place_index<index>);
  });
  return made;
}

}  // namespace

std::string EncodeMutation(const Mutation& mutation) {
  std::string bytes;
  Encoder out(bytes);
  out.Little(kVersion).Little(static_cast<uint32_t>(mutation.removes.size()));
  for (const RecordId& id : mutation.removes) {
    out.Little(static_cast<uint8_t>(id.index()));
    std::visit([&](const auto& typed) { out.Bytes(typed.uuid.bytes); }, id);
  }
  out.Little(static_cast<uint32_t>(mutation.puts.size()));
  for (const Record& record : mutation.puts) {
    out.Little(static_cast<uint8_t>(record.index()));
    std::visit([&](const auto& typed) { VisitFields(FieldWriter(bytes), typed); }, record);
  }
  return bytes;
}

Result<Mutation> DecodeMutation(std::string_view bytes) {
  const Status bad = Corrupted("catalog: an intent cannot be read; it was written by another version or is damaged");
  Decoder in(bytes);
  const uint8_t version = in.Little<uint8_t>();
  if (version == 0 || version > kVersion) return bad;
  Mutation mutation;
  const uint32_t removes = in.Little<uint32_t>();
  for (uint32_t i = 0; i < removes && in.ok(); ++i) {
    std::optional<RecordId> id = MakeAlternative<RecordId>(in.Little<uint8_t>());
    if (!id) return bad;
    std::visit([&](auto& typed) { in.Bytes(typed.uuid.bytes); }, *id);
    mutation.removes.push_back(*id);
  }
  const uint32_t puts = in.Little<uint32_t>();
  for (uint32_t i = 0; i < puts && in.ok(); ++i) {
    std::optional<Record> record = MakeAlternative<Record>(in.Little<uint8_t>());
    if (!record) return bad;
    std::visit([&](auto& typed) { VisitFields(FieldReader(in, version), typed); }, *record);
    mutation.puts.push_back(std::move(*record));
  }
  if (!in.ok() || in.remaining() != 0) return bad;
  return mutation;
}

}  // namespace lockstep::catalog
