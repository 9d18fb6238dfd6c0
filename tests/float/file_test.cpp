#include "core/file.h"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include "core/check.h"
#include "core/checksum.h"
#include "tests/scratch.h"

using namespace evenkeel;
namespace fs = std::filesystem;

namespace {

Fault fault_of(auto&& f) {
  try {
    f();
  } catch (const Error& e) {
    return e.fault;
  }
  return Fault{};
}

}  // namespace

TEST_CASE("a file is written whole, over what was there, and nothing stays beside it") {
  Scratch folder;
  write_file(folder / "a", "first");
  write_file(folder / "a", "the second");
  CHECK(read_file(folder / "a") == "the second");
  write_file(folder / "b.part", "left by a process that was killed");
  write_file(folder / "b", "");
  CHECK(read_file(folder / "b").empty());
  size_t files = 0;
  for (const auto& entry : fs::directory_iterator(folder.path)) files += entry.exists();
  CHECK(files == 2);
}

TEST_CASE("symbolic links are followed, other kinds of target refused") {
  Scratch folder;
  write_file(folder / "target", "old");
  fs::create_symlink(folder / "target", folder / "link");
  write_file(folder / "link", "new");
  CHECK(fs::is_symlink(folder / "link"));
  CHECK(read_file(folder / "target") == "new");
  fs::create_directory(folder / "elsewhere");
  fs::create_symlink("elsewhere/file", folder / "relative");  // leads to where nothing is yet
  write_file(folder / "relative", "new");
  CHECK(fs::is_symlink(folder / "relative"));
  CHECK(read_file(folder / "elsewhere/file") == "new");
  fs::create_symlink("round", folder / "round");
  CHECK(fault_of([&] { write_file(folder / "round", "x"); }) == Fault::io);
  fs::create_directory(folder / "folder");
  CHECK(fault_of([&] { write_file(folder / "folder", "x"); }) == Fault::io);
  REQUIRE(mkfifo((folder / "pipe").c_str(), 0600) == 0);
  CHECK(fault_of([&] { write_file(folder / "pipe", "x"); }) == Fault::io);
}

TEST_CASE("what cannot be written or read says so") {
  Scratch folder;
  CHECK(fault_of([&] { write_file(folder / "no/such/folder", "x"); }) == Fault::io);
  CHECK(fault_of([&] { read_file(folder / "nothing"); }) == Fault::missing);
  CHECK(fault_of([&] { read_file(folder.path); }) == Fault::bad_file);
  write_file(folder / "large", std::string(100, 'x'));
  CHECK(fault_of([&] { read_file(folder / "large", 99); }) == Fault::bad_file);
}

TEST_CASE("CRC-32 of the standard check string, in one part and in two") {
  CHECK(crc32("123456789") == 0xcbf43926u);
  CHECK(crc32("6789", crc32("12345")) == 0xcbf43926u);
  CHECK(crc32("") == 0u);
}
