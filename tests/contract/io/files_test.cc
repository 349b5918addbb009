// The contract of io/files.h, on every implementation, as far as it can be seen without a crash.
#include <string>
#include <vector>

#include "tests/contract/io/backends.h"

namespace lockstep::contract {
namespace {

using Mode = io::FileSystem::Mode;

class FilesContract : public ContractTest {
 protected:
  io::FileSystem& files() { return env().files(); }
  std::unique_ptr<io::File> Open(const std::string& name, Mode mode) {
    return std::move(files().Open(Path(name), mode)).value();
  }
  void Put(const std::string& name, const std::string& text) {
    ASSERT_TRUE(Open(name, Mode::kTruncate)->Write(0, std::as_bytes(std::span(text))).ok());
  }
  std::string Get(io::File& file, uint64_t offset, size_t size) {
    std::string text(size, '?');
    const Result<size_t> n = file.Read(offset, std::as_writable_bytes(std::span(text)));
    EXPECT_TRUE(n.ok());
    return text.substr(0, *n);
  }
  std::string Get(const std::string& name) { return Get(*Open(name, Mode::kRead), 0, 1000); }
  Code OpenCode(const std::string& name, Mode mode) { return files().Open(Path(name), mode).status().code(); }
};

TEST_P(FilesContract, ReadsWhatWasWrittenAndStopsAtTheEnd) {
  auto file = Open("f", Mode::kCreate);
  ASSERT_TRUE(file->Write(0, std::as_bytes(std::span("hello", 5))).ok());
  EXPECT_EQ(Get(*file, 1, 100), "ello");
  EXPECT_EQ(Get(*file, 5, 100), "");
  EXPECT_EQ(Get(*file, 500, 100), "");
  EXPECT_EQ(*file->Size(), 5u);
  EXPECT_TRUE(file->Sync().ok());
}

TEST_P(FilesContract, FillsGapsWithZeroesAndTruncatesBothWays) {
  auto file = Open("f", Mode::kCreate);
  ASSERT_TRUE(file->Write(3, std::as_bytes(std::span("abc", 3))).ok());
  EXPECT_EQ(Get(*file, 0, 100), std::string(3, '\0') + "abc");
  ASSERT_TRUE(file->Truncate(4).ok());
  ASSERT_TRUE(file->Truncate(6).ok());
  EXPECT_EQ(Get(*file, 0, 100), std::string(3, '\0') + "a" + std::string(2, '\0'));
}

TEST_P(FilesContract, OpensByMode) {
  EXPECT_EQ(OpenCode("f", Mode::kRead), Code::kNotFound);
  EXPECT_EQ(OpenCode("f", Mode::kReadWrite), Code::kNotFound);
  EXPECT_EQ(OpenCode("missing/f", Mode::kCreate), Code::kNotFound);
  Put("f", "text");
  EXPECT_EQ(OpenCode("f", Mode::kCreateNew), Code::kAlreadyExists);
  Open("f", Mode::kCreate);
  EXPECT_EQ(Get("f"), "text");
  Open("f", Mode::kTruncate);
  EXPECT_EQ(Get("f"), "");
  auto readable = Open("f", Mode::kRead);
  EXPECT_FALSE(readable->Write(0, std::as_bytes(std::span("x", 1))).ok());
  ASSERT_TRUE(files().CreateDirectory(Path("d")).ok());
  EXPECT_EQ(OpenCode("d", Mode::kRead), Code::kInvalidArgument);
}

TEST_P(FilesContract, MakesListsAndRemovesDirectories) {
  ASSERT_TRUE(files().CreateDirectory(Path("d")).ok());
  EXPECT_TRUE(files().CreateDirectory(Path("d")).ok());
  EXPECT_EQ(files().CreateDirectory(Path("x/y")).code(), Code::kNotFound);
  for (const char* name : {"d/b", "d/a", "d/c"}) Put(name, "1");
  EXPECT_EQ(files().CreateDirectory(Path("d/a")).code(), Code::kAlreadyExists);
  const Result<std::vector<std::string>> names = files().List(Path("d"));
  EXPECT_EQ(*names, (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ(files().List(Path("x")).status().code(), Code::kNotFound);
  EXPECT_TRUE(files().SyncDirectory(Path("d")).ok());
  EXPECT_EQ(files().SyncDirectory(Path("x")).code(), Code::kNotFound);
  EXPECT_EQ(files().RemoveDirectory(Path("d")).code(), Code::kInvalidState);
  EXPECT_EQ(files().Remove(Path("d")).code(), Code::kInvalidArgument);
  for (const char* name : {"d/b", "d/a", "d/c"}) EXPECT_TRUE(files().Remove(Path(name)).ok());
  EXPECT_TRUE(files().RemoveDirectory(Path("d")).ok());
  EXPECT_EQ(files().RemoveDirectory(Path("d")).code(), Code::kNotFound);
  EXPECT_EQ(files().Remove(Path("f")).code(), Code::kNotFound);
}

TEST_P(FilesContract, RenamesOverAnOldFileThatReadersKeep) {
  Put("old", "old");
  Put("new", "new");
  auto reader = Open("old", Mode::kRead);
  ASSERT_TRUE(files().Rename(Path("new"), Path("old")).ok());
  EXPECT_EQ(Get("old"), "new");
  EXPECT_EQ(Get(*reader, 0, 100), "old");
  EXPECT_EQ(OpenCode("new", Mode::kRead), Code::kNotFound);
  EXPECT_EQ(files().Rename(Path("new"), Path("x")).code(), Code::kNotFound);
}

TEST_P(FilesContract, DescribesWhatIsThere) {
  Put("f", "12345");
  const Result<io::FileInfo> file = files().Stat(Path("f"));
  ASSERT_TRUE(file.ok());
  EXPECT_EQ(file->size, 5u);
  EXPECT_FALSE(file->is_directory);
  EXPECT_NEAR(static_cast<double>(file->modified_s), static_cast<double>(env().clock().Wall().us) / 1e6, 60);
  ASSERT_TRUE(files().CreateDirectory(Path("d")).ok());
  EXPECT_TRUE(files().Stat(Path("d"))->is_directory);
  EXPECT_EQ(files().Stat(Path("x")).status().code(), Code::kNotFound);
}

TEST_P(FilesContract, LocksOnceAndUntilReleased) {
  auto lock = std::move(files().Lock(Path("lock"))).value();
  EXPECT_EQ(files().Lock(Path("lock")).status().code(), Code::kInUse);
  lock.reset();
  EXPECT_TRUE(files().Lock(Path("lock")).ok());
}

LS_CONTRACT_ON_BOTH(FilesContract);

}  // namespace
}  // namespace lockstep::contract
