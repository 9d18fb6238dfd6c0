#include "apps/practice/workshop.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <sstream>

#include "core/base/check.h"
#include "core/io/file.h"
#include "core/io/process.h"
#include "data/catalogue/sha256.h"

namespace fs = std::filesystem;

namespace evenkeel::practice {
namespace {

// Constants of the build: EVENKEEL_PRACTICE_* of apps/CMakeLists.txt.
std::vector<std::string> words(const std::string& text) {
  std::vector<std::string> all;
  std::istringstream in(text);
  for (std::string word; in >> word;) all.push_back(word);
  return all;
}

// The lines of what another program said, below the first line of a message.
std::string below(const std::string& said) {
  std::string all;
  std::istringstream in(said);
  for (std::string line; std::getline(in, line);) all += "\n  " + line;
  return all;
}

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

fs::path cache_root() {
  if (const std::string cache = user_cache(); !cache.empty()) return cache;
  fail(Fault::missing, "practice: compiled exercises need a cache folder; set HOME or XDG_CACHE_HOME");
}

// Changes when a program or a header is replaced.
std::string stamp(const fs::path& file) {
  std::error_code error;
  const auto size = fs::file_size(file, error);
  const auto time = static_cast<int64_t>(fs::last_write_time(file, error).time_since_epoch().count());
  return error ? file.string() : file.string() + " " + std::to_string(size) + " " + std::to_string(time);
}

std::string found_on_path(const std::string& program) {
  if (program.find('/') != std::string::npos) return ::access(program.c_str(), X_OK) == 0 ? program : "";
  std::istringstream folders(variable("PATH"));
  for (std::string folder; std::getline(folders, folder, ':');)
    if (const std::string path = folder + "/" + program; ::access(path.c_str(), X_OK) == 0) return path;
  return "";
}

// One process at a time writes into the cache.
struct Lock {
  explicit Lock(const fs::path& folder) : file(::open((folder / "lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)) {
    if (!file.open()) fail(Fault::io, "practice: {}: {}", folder.string(), std::strerror(errno));
    while (::flock(*file, LOCK_EX) != 0)
      if (errno != EINTR) fail(Fault::io, "practice: {} cannot be locked: {}", folder.string(), std::strerror(errno));
  }
  Descriptor file;
};

bool holds(const fs::path& file, const std::string& text) {
  std::error_code error;
  return fs::is_regular_file(file, error) && read_file(file.string()) == text;
}

}  // namespace

std::string sha256(const std::string& text) {
  Sha256 digest;
  digest.add(text);
  return digest.hex();
}

Workshop::Workshop(const std::string& program) {
  ::setenv("LC_ALL", "C", 1);  // the compiler's messages are read below
  const fs::path folder = fs::path(program).parent_path();
  const std::string wish = variable("CXX");
  compiler_ = found_on_path(wish.empty() ? EVENKEEL_PRACTICE_COMPILER : wish);
  if (compiler_.empty() && wish.empty()) compiler_ = found_on_path("c++");
  if (compiler_.empty())
    fail(Fault::missing,
         "practice: an exercise needs a C++20 compiler, and {} is not there; install one (Debian: apt install g++), or "
         "set CXX to the path of yours",
         wish.empty() ? EVENKEEL_PRACTICE_COMPILER : wish);
  runner_ = (folder / "evenkeel-practice").string();
  if (found_on_path(runner_).empty())
    fail(Fault::missing, "practice: {} is not there; build all targets, or install evenkeel", runner_);

  flags_ = words(EVENKEEL_PRACTICE_FLAGS);
  // An installed program has its headers beside it; a program in a build tree uses the build's.
  const bool built = fs::path(EVENKEEL_PRACTICE_BUILD) == folder;
  const fs::path headers = built ? folder / "include" : (folder / EVENKEEL_PRACTICE_INSTALLED).lexically_normal();
  const fs::path header = headers / "evenkeel/apps/practice/runner/practice.h";
  if (!fs::exists(header))
    fail(Fault::missing,
         "practice: an exercise needs evenkeel's headers, and {} is not there; install them (Debian: apt "
         "install libevenkeel-dev)",
         header.string());
  flags_.push_back("-I" + headers.string());
  key_ += stamp(header) + "\n";
  // The runner contains the library, so it is newer than every header.
  key_ += stamp(compiler_) + "\n" + stamp(runner_) + "\n" + shell_text(flags_);
  cache_ = cache_root() / "practice" / sha256(compiler_ + folder.string()).substr(0, 12);
}

std::vector<std::string> Workshop::command(const std::vector<std::string>& more) const {
  std::vector<std::string> all{compiler_};
  all.insert(all.end(), flags_.begin(), flags_.end());
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

std::string Workshop::prepare(const Exercise& exercise, const std::function<void(const std::string&)>& log) {
  std::error_code error;
  fs::create_directories(cache_, error);
  if (error) fail(Fault::io, "practice: {} cannot be created: {}", cache_.string(), error.message());
  const Lock lock(cache_);
  const auto build = [&](std::vector<std::string> what, const fs::path& result) {
    const std::string part = result.string() + ".part";
    what.insert(what.end(), {"-o", part});
    const ProcessResult r = run_process(command(what), {.captured = STDERR_FILENO});
    if (r.status != 0)
      fail(Fault::missing, "practice: {} cannot be compiled; is the installation whole?{}", result.string(),
           below(r.text));
    fs::rename(part, result);
  };
  const fs::path key = cache_ / "key", header = cache_ / "practice.h";
  if (!holds(key, key_)) {
    for (const auto& entry : fs::directory_iterator(cache_))
      if (entry.path().filename() != "lock") fs::remove_all(entry.path());
    log("The headers are compiled, once. That takes some seconds.");
    write_file(header.string(), "#include <evenkeel/practice.h>\n");
    build({"-x", "c++-header", header.string()}, cache_ / "practice.h.gch");
    write_file(key.string(), key_);
  }
  const fs::path source = cache_ / (exercise.name + ".grader.cpp"), object = cache_ / (exercise.name + ".grader.so"),
                 sum = cache_ / (exercise.name + ".grader.sum");
  // The checksums of the object and of its source.
  const auto sums = [&] { return sha256(exercise.grader) + " " + sha256(read_file(object.string())); };
  const bool known = fs::exists(sum), there = known && fs::exists(object) && fs::exists(source);
  if (there && holds(source, exercise.grader) && holds(sum, sums())) return object.string();
  if (known && read_file(sum.string()).starts_with(sha256(exercise.grader)))
    log("The grader in " + cache_.string() + " was changed. It is replaced by the one of this program.");
  write_file(source.string(), exercise.grader);
  build({"-include", header.string(), "-shared", source.string()}, object);
  write_file(sum.string(), sums());
  return object.string();
}

std::string Workshop::compile(const std::string& source, const std::string& object) const {
  const ProcessResult r =
      run_process(command({"-include", (cache_ / "practice.h").string(), "-shared", source, "-o", object}),
                  {.captured = STDERR_FILENO});
  return r.status == 0 ? "" : r.text.empty() ? "the compiler ended with " + std::to_string(r.status) : r.text;
}

}  // namespace evenkeel::practice
