#include "access/audit.h"

#include <ctime>
#include <memory>
#include <span>
#include <utility>

#include <fmt/chrono.h>

#include "base/assert.h"

namespace lockstep::access {
namespace {

constexpr size_t kTextMax = 5000;

std::string Plain(std::string_view text) {
  std::string out;
  for (const char c : text.substr(0, kTextMax)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      fmt::format_to(std::back_inserter(out), "\\x{:02x}", byte);
      continue;
    }
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

std::string Stamp(io::WallTime time) {
  const auto seconds = static_cast<std::time_t>(time.us / 1'000'000);
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:06}Z", fmt::gmtime(seconds), time.us % 1'000'000);
}

}  // namespace

std::string AuditLine(io::WallTime time, const AuditEntry& entry) {
  return fmt::format("{} user={} role={} from={} what=\"{}\" result=\"{}\"\n", Stamp(time),
                     entry.user.empty() ? "(anonymous)" : Plain(entry.user), Plain(entry.role), Plain(entry.peer),
                     Plain(entry.what), Plain(entry.result));
}

AuditLog::AuditLog(Surroundings surroundings, std::string path, AuditLimits limits)
    : surroundings_(surroundings), path_(std::move(path)), limits_(limits) {}

AuditLog::~AuditLog() { LS_ASSERT(!writing_); }

void AuditLog::Record(const AuditEntry& entry) {
  std::string line = AuditLine(surroundings_.clock.Wall(), entry);
  surroundings_.log.Info("audit: {}", std::string_view(line).substr(0, line.size() - 1));
  if (waiting_.size() + line.size() > limits_.waiting_bytes) ++left_out_;
  else waiting_ += line;
  if (!writing_) Spawn(WriteWaiting());
}

Task<void> AuditLog::WriteWaiting() {
  writing_ = true;
  while (!waiting_.empty() || left_out_ > 0) {
    std::string lines = std::exchange(waiting_, {});
    if (const uint64_t count = std::exchange(left_out_, 0); count > 0) {
      lines += AuditLine(surroundings_.clock.Wall(),
                         {"lockstepd", "", "", fmt::format("{} lines were left out", count), "too many at once"});
    }
    Status status;
    const auto work = [&] { status = Append(lines); };
    co_await surroundings_.executor.Call(surroundings_.loop, work);
    if (!status.ok() && !failing_)
      surroundings_.log.Error("audit: {} cannot be written: {}; changes go on", path_, status.message());
    failing_ = !status.ok();
  }
  writing_ = false;
  if (written_) std::exchange(written_, nullptr)();
}

// On the executor.
Status AuditLog::Append(const std::string& lines) {
  using Mode = io::FileSystem::Mode;
  LS_ASSIGN_OR_RETURN(std::unique_ptr<io::File> file, surroundings_.files.Open(path_, Mode::kCreate));
  LS_ASSIGN_OR_RETURN(uint64_t size, file->Size());
  if (size > 0 && size + lines.size() > limits_.file_bytes) {
    file.reset();
    LS_RETURN_IF_ERROR(Rotate());
    LS_ASSIGN_OR_RETURN(file, surroundings_.files.Open(path_, Mode::kCreate));
    size = 0;
  }
  LS_RETURN_IF_ERROR(file->Write(size, std::as_bytes(std::span(lines))));
  LS_RETURN_IF_ERROR(file->Sync());
  return size == 0 ? surroundings_.files.SyncDirectory(path_.substr(0, path_.rfind('/'))) : Status();
}

Status AuditLog::Rotate() {
  const auto name = [this](unsigned n) { return n == 0 ? path_ : fmt::format("{}.{}", path_, n); };
  for (unsigned n = limits_.old_files; n > 0; --n) {
    const Status moved = surroundings_.files.Rename(name(n - 1), name(n));
    if (!moved.ok() && moved.code() != Code::kNotFound) return moved;
  }
  return {};
}

Task<void> AuditLog::Stop() {
  if (writing_) co_await SuspendWith([this](auto resume) { written_ = std::move(resume); });
}

}  // namespace lockstep::access
