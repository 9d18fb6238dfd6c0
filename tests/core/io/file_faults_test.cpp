// Every call of the system that writing a file makes fails once: what is read afterwards is the old file or the new
// one.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <thread>
#include <utility>

#include "core/base/check.h"
#include "core/base/random.h"
#include "core/io/file.h"
#include "data/catalogue/fetch.h"
#include "data/catalogue/sha256.h"
#include "layers/model/checkpoint.h"
#include "tests/data_files.h"
#include "tests/scratch.h"

using namespace evenkeel;
namespace fs = std::filesystem;

namespace {

enum Call { opening, writing, syncing, renaming, calls };
struct Plan {
  int call = calls, at = 0;  // which call fails, and at which time; none: calls
  int error = 0;             // errno, or 0: a write writes one byte only
  int seen[calls] = {};
} plan;

// What a user who is not root may do to a new file: not give it away, perhaps give it to one of his groups.
enum class Chown { anything, group, nothing } allowed = Chown::anything;

std::vector<int> lock_errors;  // the next calls of flock fail with these

bool fails(Call call) {
  const bool now = ++std::atomic_ref(plan.seen[call]) == plan.at && plan.call == call;  // other tests have threads
  if (now) errno = plan.error;
  return now;
}

}  // namespace

// The linker sends the library's calls here (see tests/CMakeLists.txt).
extern "C" {
int __real_open(const char*, int, mode_t);
ssize_t __real_write(int, const void*, size_t);
int __real_fsync(int);
int __real_rename(const char*, const char*);
int __wrap_open(const char* path, int flags, mode_t mode) {
  return fails(opening) ? -1 : __real_open(path, flags, mode);
}
#ifdef __GLIBC__  // what glibc 2.39 makes of open() without a mode, for clang with FORTIFY_SOURCE
int __real___open_2(const char*, int);
int __wrap___open_2(const char* path, int flags) { return fails(opening) ? -1 : __real___open_2(path, flags); }
#endif
ssize_t __wrap_write(int fd, const void* bytes, size_t count) {
  if (!fails(writing)) return __real_write(fd, bytes, count);
  return plan.error ? -1 : __real_write(fd, bytes, 1);
}
int __wrap_fsync(int fd) { return fails(syncing) ? -1 : __real_fsync(fd); }
int __real_fchown(int, uid_t, gid_t);
int __wrap_fchown(int fd, uid_t owner, gid_t group) {
  if (allowed == Chown::anything || (allowed == Chown::group && owner == static_cast<uid_t>(-1)))
    return __real_fchown(fd, owner, group);
  errno = EPERM;
  return -1;
}
int __real_flock(int, int);
int __wrap_flock(int fd, int operation) {
  if (lock_errors.empty()) return __real_flock(fd, operation);
  errno = lock_errors.front();
  lock_errors.erase(lock_errors.begin());
  return -1;
}
int __wrap_rename(const char* from, const char* to) { return fails(renaming) ? -1 : __real_rename(from, to); }
}

namespace {

size_t count_files(const std::string& folder) {
  return static_cast<size_t>(std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

// What a killed process left of a file it was writing.
size_t parts_in(const std::string& folder) {
  size_t parts = 0;
  for (const auto& entry : fs::directory_iterator(folder)) parts += entry.path().extension() == ".part";
  return parts;
}

// What write_file ended with, having thrown Error(Fault::io) or not.
bool written(const std::string& path, const std::string& contents) {
  try {
    write_file(path, contents);
    return true;
  } catch (const Error& e) {
    CHECK(e.fault == Fault::io);
    CHECK(std::string(e.what()).find(path) != std::string::npos);
    // The message does not let one think that the old file is there when the new one is.
    const Plan during = std::exchange(plan, {});
    const bool replaced = fs::is_regular_file(path) && read_file(path) == contents;
    plan = during;
    CHECK((std::string(e.what()).find("written and in place") != std::string::npos) == replaced);
    return false;
  }
}

}  // namespace

TEST_CASE(
    "whichever open, write, sync or rename fails, the file is the old or the new one and nothing stays beside it") {
  Scratch folder;
  const std::string path = folder / "a", before = "old", after(100'000, 'n');
  int failures = 0;
  for (int call = 0; call < calls; ++call) {
    for (int error : {EIO, ENOSPC, EACCES}) {
      for (int n = 1;; ++n) {
        CAPTURE(call);
        CAPTURE(n);
        write_file(path, before);
        plan = {call, n, error};
        const bool ok = written(path, after);
        const bool reached = plan.seen[call] >= n;
        plan = {};
        CHECK(ok == !reached);
        const std::string now = read_file(path);
        CHECK((now == after || (!ok && now == before)));
        CHECK(count_files(folder.path) == 1);
        if (!reached) break;
        ++failures;
      }
    }
  }
  CHECK(failures == 3 * (2 + 1 + 2 + 1));  // file and folder are opened and synced
}

TEST_CASE("a write that is cut short or interrupted goes on") {
  Scratch folder;
  const std::string contents = "some contents";
  for (int error : {0, EINTR}) {
    plan = {writing, 1, error};
    write_file(folder / "a", contents);
    CHECK(plan.seen[writing] == 2);
    plan = {};
    CHECK(read_file(folder / "a") == contents);
  }
}

TEST_CASE("a full disk: the limit on a file's size, and a device that is always full") {
  Scratch folder;
  write_file(folder / "a", "old");
  rlimit limit{};
  getrlimit(RLIMIT_FSIZE, &limit);
  const rlimit small{10'000, limit.rlim_max};
  const auto handler = signal(SIGXFSZ, SIG_IGN);
  setrlimit(RLIMIT_FSIZE, &small);
  const bool ok = written(folder / "a", std::string(20'000, 'x'));
  setrlimit(RLIMIT_FSIZE, &limit);
  signal(SIGXFSZ, handler);
  CHECK(!ok);
  CHECK(read_file(folder / "a") == "old");
  CHECK(count_files(folder.path) == 1);
  CHECK(!written("/dev/full", "x"));
}

TEST_CASE("a process killed while it saves leaves a checkpoint that can be read, 200 times") {
  Scratch folder;
  const std::string path = folder / "last.safetensors";
  SafeTensors contents;
  contents.tensors.push_back(store("weight", Tensor::full({200'000}, 1)));
  write_safetensors(path, contents);
  // Three versions of different sizes, formatted before the process forks: the child only writes.
  std::vector<std::string> versions;
  for (int64_t v = 1; v <= 3; ++v) {
    contents.tensors[0] = store("weight", Tensor::full({50'000 * v}, static_cast<real>(v)));
    versions.push_back(format_safetensors(contents));
  }
  Random random(1);
  int unreadable = 0, cut = 0;
  for (int i = 0; i < 200; ++i) {
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0)
      for (size_t v = 0;; ++v) write_file(path, versions[v % versions.size()]);
    std::this_thread::sleep_for(std::chrono::microseconds(random.below(6000)));
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    cut += parts_in(folder.path) > 0;
    CHECK(parts_in(folder.path) <= 1);  // the next one that writes there removes it
    try {
      const Tensor w = load(read_safetensors(path).tensors.at(0));
      unreadable += !(w.size() == 200'000 || w.data()[w.size() - 1] == static_cast<real>(w.size() / 50'000));
    } catch (const Error& e) {
      MESSAGE(e.what());
      ++unreadable;
    }
  }
  CHECK(unreadable == 0);
  CHECK(cut > 0);  // some were in the middle of it
  write_safetensors(path, contents);
  CHECK(count_files(folder.path) == 1);
}

TEST_CASE("a file of another owner keeps its group where that is allowed; else what the group might do ends") {
  const Scratch folder;
  const std::string file = folder / "file";
  for (const auto& [may, mode] : {std::pair(Chown::anything, 0664u), {Chown::group, 0664u}, {Chown::nothing, 0604u}}) {
    write_file(file, "old");
    REQUIRE(::chmod(file.c_str(), 0664) == 0);
    const gid_t group = ::getuid() == 0 ? 12345 : ::getgid();
    REQUIRE(::chown(file.c_str(), ::getuid(), group) == 0);
    allowed = may;
    write_file(file, "new");
    allowed = Chown::anything;
    struct stat now {};
    REQUIRE(::stat(file.c_str(), &now) == 0);
    CHECK((now.st_mode & 0777u) == mode);
    if (may != Chown::nothing) CHECK(now.st_gid == group);
    CHECK(read_file(file) == "new");
  }
}

TEST_CASE("a download is synced before it gets its name; if that fails, nothing is in place") {
  if (::access("/usr/bin/curl", X_OK) != 0) {
    MESSAGE("NOT TESTED: curl is not installed");
    return;
  }
  const Scratch folder;
  Source source = find_source("mnist");
  source.downloads.clear();
  fs::create_directories(folder / "mirror/mnist");
  for (const auto* files : {&source.train, &source.test}) {
    for (size_t i = 0; i < 2; ++i) {
      const std::string file = files->at(i) + ".gz", bytes = deflated(i == 0 ? idx({2, 28, 28}, {1}) : idx({2}, {3}));
      Sha256 digest;
      digest.add(bytes);
      source.downloads.push_back({file, static_cast<int64_t>(bytes.size()), digest.hex()});
      save(folder / ("mirror/mnist/" + file), bytes);
    }
  }
  const auto fetch = [&] { fetch_dataset(source, folder / "data", "file://" + (folder / "mirror")); };
  plan = {syncing, 1, EIO};
  const std::string message = error_of(Fault::io, fetch);
  plan = {};
  CHECK_MESSAGE(message.find("cannot sync") != std::string::npos, message);
  CHECK(!fs::exists(folder / "data/mnist"));
  plan = {syncing, 0, 0};
  fetch();
  CHECK(plan.seen[syncing] == 8);  // four files, and the folder after each
  plan = {};
  CHECK(count_files(folder / "data/mnist") == 4);
}

TEST_CASE("a fetch waits for its lock through signals; a folder that cannot be opened or locked is an error") {
  const Scratch folder;
  const Source source = find_source("mnist");
  fs::create_directories(folder / "mnist");
  for (const auto* files : {&source.train, &source.test})
    for (const std::string& file : *files) save(folder / ("mnist/" + file), "");
  std::vector<std::string> lines;
  const auto fetch = [&] {
    lines.clear();
    fetch_dataset(source, folder.path, "http://127.0.0.1:1",
                  {.log = [&](const std::string& l) { lines.push_back(l); }});
  };
  lock_errors = {EWOULDBLOCK, EINTR, EINTR};
  fetch();
  CHECK(lock_errors.empty());
  REQUIRE(lines.size() == 2);
  CHECK(lines[0] == "waiting for another process that fetches into " + folder.path);
  CHECK(lines[1].find("mnist is there") != std::string::npos);
  fetch();
  CHECK(lines.size() == 1);  // nothing to wait for

  lock_errors = {EWOULDBLOCK, EINTR, ENOLCK};
  CHECK(error_of(Fault::io, fetch) == "fetch: " + folder.path + " cannot be locked: " + std::strerror(ENOLCK));
  CHECK(lock_errors.empty());
  plan = {opening, 1, EMFILE};
  CHECK(error_of(Fault::io, fetch) == "fetch: " + folder.path + ": " + std::strerror(EMFILE));
  plan = {};
  CHECK(lines.empty());
}
