#include "core/io/file.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <set>

#include "core/base/check.h"
#include "tests/data_files.h"
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
  write_file(folder / "b.part", "a file of the user's");
  write_file(folder / "b.0123456789ab.part", "left by a process that was killed");
  write_file(folder / "b.0123456789ag.part", "not of that form");
  write_file(folder / "b", "");
  CHECK(read_file(folder / "b").empty());
  CHECK(read_file(folder / "b.part") == "a file of the user's");
  std::set<std::string> files;
  for (const auto& entry : fs::directory_iterator(folder.path)) files.insert(entry.path().filename());
  CHECK(files == std::set<std::string>{"a", "b", "b.part", "b.0123456789ag.part"});
}

TEST_CASE("a file that another process is writing is left alone") {
  Scratch folder;
  const std::string part = folder / "a.0123456789ab.part";
  write_file(part, "");
  const Descriptor other(::open(part.c_str(), O_RDONLY));
  REQUIRE(::flock(*other, LOCK_EX) == 0);
  write_file(folder / "a", "x");
  CHECK(fs::exists(part));
}

TEST_CASE("a replaced file keeps its permissions and owner; one that is read-only is not replaced") {
  Scratch folder;
  const std::string path = folder / "a";
  struct stat status {};
  for (const mode_t mode : {0600, 0640, 0666}) {
    write_file(path, "old");
    REQUIRE(chmod(path.c_str(), mode) == 0);
    write_file(path, "new");
    REQUIRE(stat(path.c_str(), &status) == 0);
    CHECK((status.st_mode & 07777) == mode);
  }
  if (geteuid() == 0) {
    REQUIRE(chown(path.c_str(), 12345, 23456) == 0);
    write_file(path, "newer");
    REQUIRE(stat(path.c_str(), &status) == 0);
    CHECK(status.st_uid == 12345);
    CHECK(status.st_gid == 23456);
  }
  REQUIRE(chmod(path.c_str(), 0444) == 0);
  const std::string before = read_file(path);
  CHECK(error_of(Fault::io, [&] { write_file(path, "x"); }).find("it is read-only") != std::string::npos);
  CHECK(error_of(Fault::io, [&] { check_output(path, {}); }).find("it is read-only") != std::string::npos);
  CHECK(read_file(path) == before);
}

TEST_CASE("a symbolic link of another user's in a folder in which everybody may write is not followed") {
  if (geteuid() != 0) {
    MESSAGE("not tested: only root can make another user's link");
    return;
  }
  Scratch folder;
  const std::string open = folder / "open";
  fs::create_directory(open);
  write_file(folder / "precious", "old");
  fs::create_symlink(folder / "precious", open + "/out");
  fs::create_symlink(folder / "new", open + "/leads to nothing");
  REQUIRE(lchown((open + "/out").c_str(), 12345, 12345) == 0);
  REQUIRE(lchown((open + "/leads to nothing").c_str(), 12345, 12345) == 0);
  write_file(open + "/out", "harmless");  // nobody else may write there yet
  for (const mode_t mode : {01777, 0777}) {
    REQUIRE(chmod(open.c_str(), mode) == 0);
    CHECK(error_of(Fault::io, [&] { write_file(open + "/out", "x"); }).find("another user") != std::string::npos);
    CHECK(error_of(Fault::io, [&] { write_file(open + "/leads to nothing", "x"); }).find("another user") !=
          std::string::npos);
  }
  CHECK(read_file(folder / "precious") == "harmless");
  CHECK(!fs::exists(folder / "new"));
  fs::create_symlink(folder / "precious", open + "/own");
  write_file(open + "/own", "mine");
  CHECK(read_file(folder / "precious") == "mine");
}

TEST_CASE("an output that is an input is refused, by whatever path") {
  Scratch folder;
  write_file(folder / "in", "x");
  fs::create_symlink("in", folder / "link");
  fs::create_hard_link(folder / "in", folder / "hard");
  fs::create_directory(folder / "sub");
  for (const std::string& out :
       {folder / "in", folder / "link", folder / "hard", folder / "sub/../in", folder / "./in"}) {
    CHECK_MESSAGE(error_of(
                      Fault::usage,
                      [&] {
                        check_output(out, {"", folder / "other", folder / "in"});
                      }).find("is the input") != std::string::npos,
                  out);
  }
  CHECK(error_of(Fault::usage, [&] { check_output(folder / "sub/new", {folder / "sub"}); }).find("which is read") !=
        std::string::npos);
  const fs::filesystem_error denied("directory iterator", "a/b", std::make_error_code(std::errc::permission_denied));
  CHECK(error_of(Fault::io, [&] { fail_io(denied); }) == "a/b: Permission denied");
  fs::create_directories(folder / "sub/deep/er");
  CHECK(error_of(Fault::usage, [&] {
          check_output(folder / "sub/deep/er/new", {folder / "sub"});
        }).find("which is read") != std::string::npos);
  CHECK(error_of(Fault::io, [&] { check_output(folder / "no/new", {}); }).find("there is no folder") !=
        std::string::npos);
  check_output(folder / "new", {folder / "in", folder / "sub"});
  // A folder of results: the input itself, or below it, also by a link on the way.
  fs::create_directory_symlink("sub", folder / "same");
  fs::create_directory_symlink("sub/deep", folder / "inside");
  for (const char* out : {"sub", "sub/", "same", "same/new", "sub/new/", "inside", "inside/er/new", "inside/../new"})
    CHECK_MESSAGE(fault_of([&] { check_outside(folder / out, folder / "sub"); }) == Fault::usage, out);
  for (const char* out : {"in", "subs", "new/sub", "sub/../new"}) check_outside(folder / out, folder / "sub");
}

TEST_CASE("two outputs that are one file are refused, by whatever paths") {
  Scratch folder;
  fs::create_directory(folder / "sub");
  fs::create_symlink("new", folder / "link");
  fs::create_directory_symlink("sub", folder / "same");
  for (const auto& [one_, other_] : {std::pair{"new", "new"}, {"new", "./new"}, {"new", "link"}, {"sub/a", "same/a"}}) {
    const std::string one = folder / one_, other = folder / other_;
    CHECK_MESSAGE(fault_of([&] { check_different(one, other); }) == Fault::usage, other);
  }
  check_different(folder / "new", folder / "sub/new");
}

TEST_CASE("a new output is known by a name from the working folder too") {
  Scratch folder;
  const fs::path before = fs::current_path();
  fs::current_path(folder.path);
  const std::vector<Fault> faults{
      fault_of([&] { check_different("new", "./new"); }), fault_of([&] { check_different("new", folder / "new"); }),
      fault_of([&] { check_outside("new", "."); }), fault_of([&] { check_outside("new/file", folder.path); }),
      fault_of([&] { check_output("new", {"."}); })};
  fs::current_path(before);
  for (const Fault fault : faults) CHECK(fault == Fault::usage);
}

TEST_CASE("what is no regular file is refused by name, without waiting") {
  Scratch folder;
  REQUIRE(mkfifo((folder / "pipe").c_str(), 0600) == 0);
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  std::strncpy(address.sun_path, (folder / "socket").c_str(), sizeof address.sun_path - 1);
  const Descriptor socket(::socket(AF_UNIX, SOCK_STREAM, 0));
  REQUIRE(::bind(*socket, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  fs::create_symlink("pipe", folder / "link");
  for (const auto& [path_, kind] : {std::pair{folder / "pipe", "it is a FIFO"},
                                    {folder / "link", "it is a FIFO"},
                                    {folder / "socket", "it is a socket"},
                                    {folder.path, "it is a folder"},
                                    {std::string("/dev/zero"), "it is a device"}}) {
    const auto& path = path_;
    CHECK_MESSAGE(refusal([&] { read_file(path); }) == path + ": " + kind + ", not a regular file", path);
  }
}

TEST_CASE("symbolic links are followed, other kinds of target refused") {
  Scratch folder;
  write_file(folder / "target", "old");
  fs::create_symlink(folder / "target", folder / "link");
  write_file(folder / "link", "new");
  CHECK(fs::is_symlink(folder / "link"));
  CHECK(read_file(folder / "target") == "new");
  fs::create_symlink("link", folder / "second");  // a link to a link
  write_file(folder / "second", "newer");
  CHECK(fs::is_symlink(folder / "link"));
  CHECK(read_file(folder / "target") == "newer");
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

TEST_CASE("an output in a folder where the user may not write is refused before the work") {
  const Scratch scratch;
  std::filesystem::create_directory(scratch / "closed");
  REQUIRE(::chmod(scratch.path.c_str(), 0755) == 0);
  REQUIRE(::chmod((scratch / "closed").c_str(), 0555) == 0);
  const uid_t me = ::geteuid();
  if (me == 0) REQUIRE(::seteuid(65534) == 0);  // root may write anywhere
  const std::string message = error_of(Fault::io, [&] { check_output(scratch / "closed/file", {}); });
  REQUIRE(::seteuid(me) == 0);
  CHECK_MESSAGE(message.ends_with("closed/file: its folder: Permission denied"), message);
}

TEST_CASE("what cannot be written or read says so") {
  Scratch folder;
  CHECK(fault_of([&] { write_file(folder / "no/such/folder", "x"); }) == Fault::io);
  CHECK(error_of(Fault::missing, [&] { read_file(folder / "nothing"); }) == "there is no file " + folder / "nothing");
  fs::create_symlink("nothing", folder / "link");
  CHECK(error_of(Fault::missing, [&] { read_file(folder / "link"); }) ==
        folder / "link" + ": it is a symbolic link to nothing, which does not exist");
  for (const char* below : {"link/", "link/a/b"})
    CHECK(error_of(Fault::missing, [&] { read_file(folder / below); }) ==
          folder / "link" + ": it is a symbolic link to nothing, which does not exist");
  CHECK(fault_of([&] { read_file(folder.path); }) == Fault::bad_file);
  write_file(folder / "large", std::string(100, 'x'));
  CHECK(fault_of([&] { read_file(folder / "large", 99); }) == Fault::bad_file);
}
