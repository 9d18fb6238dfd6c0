#include "apps/train/run_folder.h"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "apps/report/run_record.h"
#include "core/base/check.h"

namespace evenkeel {
namespace {

namespace fs = std::filesystem;

std::string holder() {
  char host[256] = "";
  ::gethostname(host, sizeof host - 1);
  return fmt::format("process {} on {} since {:%Y-%m-%d %H:%M:%S} UTC", ::getpid(), host,
                     fmt::gmtime(std::time(nullptr)));
}

std::string contents(const Descriptor& file) {
  char text[512];
  const ssize_t n = ::pread(*file, text, sizeof text, 0);
  return n > 0 ? std::string(text, static_cast<size_t>(n)) : "another process";
}

// Whether the path does not exist or is an empty folder. Error(Fault::io) if that cannot be known.
bool is_free(const std::string& folder) {
  std::error_code error;
  const fs::directory_iterator entries(folder, error);
  if (error == std::errc::no_such_file_or_directory || error == std::errc::not_a_directory)
    return !fs::exists(folder, error);
  if (error) fail(Fault::io, "{}: the folder cannot be listed: {}", folder, error.message());
  for (const auto& entry : entries) {
    if (entry.path().filename() != ".lock") return false;
  }
  return true;
}

// Whether a run has saved its options in `next`. Without them it was killed before it began.
bool begun_in(const fs::path& next) {
  std::error_code ignored;
  return fs::exists(next / "config.json", ignored);
}

void check_free(const std::string& path) {
  check(is_free(path), "{} is not empty; choose another --out, or --overwrite its results, or --resume {}", path, path);
}

void check_replaceable(const std::string& path) {
  for (const char* file : run_files) check_output(path + "/" + file, {});
}

}  // namespace

void RunFolder::check_usable(const std::string& path, Use use) {
  fs::path nearest = fs::absolute(path);
  const auto there = [&] {
    std::error_code ignored;
    return fs::exists(fs::symlink_status(nearest, ignored));
  };
  while (!there() && nearest.has_relative_path()) nearest = nearest.parent_path();
  std::error_code error;
  const bool created = !fs::exists(path, error);
  if (!fs::is_directory(nearest, error)) {
    if (!created) fail(Fault::io, "{} exists and is not a folder; choose another --out", path);
    const std::string broken = broken_link(path);
    fail(Fault::io, "{}: the folder cannot be created: {}", path,
         broken.empty() ? nearest.string() + " is not a folder" : broken);
  }
  if (::faccessat(AT_FDCWD, nearest.c_str(), W_OK | X_OK, AT_EACCESS) != 0)
    fail(Fault::io, "{}: the folder cannot be {}: {}", path, created ? "created" : "written to", std::strerror(errno));
  if (use == Use::fresh) check_free(path);
  if (use == Use::overwrite && !created) check_replaceable(path);
}

std::string resumed_folder(const std::string& given) {
  std::error_code ignored;
  const fs::path file = given;
  const bool last = file.filename() == "last.safetensors";
  if (fs::is_directory(file, ignored) || (!last && !fs::exists(file, ignored))) return given;
  if (!last) {
    open_input(given);  // Error if `given` is a FIFO or a device
    fail(Fault::usage,
         "--resume {}: only last.safetensors has a run's state; name that file or the run's folder, or start a new run "
         "from the weights of this file: --init {}",
         given, given);
  }
  const auto above = [](const fs::path& p) { return p.has_parent_path() ? p.parent_path() : fs::path("."); };
  const fs::path folder = above(file);
  if (!fs::exists(folder / "config.json", ignored))
    fail(Fault::missing,
         "--resume {}: there is no config.json beside it, so this is not a run's folder; name the file in the run's "
         "own folder, or start a new run from its weights: --init {}",
         given, given);
  const bool unfinished = folder.filename() == ".next" || folder.filename() == ".ready";
  return (unfinished ? above(folder) : folder).string();
}

RunFolder::RunFolder(const std::string& path, Use use) : RunFolder(path) {
  std::error_code error;
  if (use == Use::look) {
    if (begun_in(path + "/.next")) where_ = path + "/.next";
    return;
  }
  if (use == Use::resume) check_link(path);
  if (use == Use::resume && !fs::exists(path, error))
    fail(Fault::missing, "--resume: there is no folder {}; evenkeel runs lists the runs", path);
  check_usable(path, use);
  created_ = fs::create_directories(path, error);
  if (error) fail(Fault::io, "{}: the folder cannot be created: {}", path, error.message());
  lock();
  for (const char* file : run_files) remove_unfinished(path + "/" + file);
  install();
  if (use == Use::fresh) check_free(path);  // again: now the folder is locked
  if (use == Use::overwrite) check_replaceable(path);
  const fs::path next = fs::path(path) / ".next";
  const bool begun = begun_in(next);
  if (use == Use::overwrite || !begun) fs::remove_all(next, error);
  if (use == Use::overwrite) {
    for (const char* file : run_files) {
      if (!fs::exists(fs::path(path) / file, error)) continue;
      where_ = next.string();
      if (!fs::create_directory(next, error) && error)
        fail(Fault::io, "{}: the folder cannot be created: {}", where_, error.message());
    }
  }
  if (use == Use::resume && begun) where_ = next.string();
  begun_ = use != Use::resume;
}

RunFolder RunFolder::first_free(const std::string& path) {
  for (int number = 1;; ++number) {
    const std::string name = number == 1 ? path : fmt::format("{}-{}", path, number);
    if (!is_free(name)) continue;
    try {
      return RunFolder(name, Use::fresh);
    } catch (const Error& error) {
      if (error.fault != Fault::usage) throw;  // otherwise another run has just taken it
    }
  }
}

RunFolder::~RunFolder() {
  if (!lock_.open()) return;
  std::error_code ignored;
  if (begun_ && !fs::exists(*this / "last.safetensors", ignored)) {
    for (const char* file : run_files) fs::remove(*this / file, ignored);
    if (where_ != path_) fs::remove(where_, ignored);
  }
  ::unlink((path_ + "/.lock").c_str());
  if (created_) ::rmdir(path_.c_str());  // fails unless it is empty
}

void RunFolder::lock() {
  const std::string file = path_ + "/.lock";
  struct stat here {
  }, there{};
  do {  // again if the previous owner has removed the file meanwhile
    lock_ = Descriptor(::open(file.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0666));
    if (!lock_.open()) fail(Fault::io, "{}: the folder cannot be locked: {}", path_, std::strerror(errno));
    if (::flock(*lock_, LOCK_EX | LOCK_NB) != 0) {
      const int error = errno;
      const Descriptor other = std::move(lock_);
      if (error == EWOULDBLOCK)
        fail(Fault::usage, "{} is in use by {}; choose another --out, or wait for it", path_, contents(other));
      fail(Fault::io, "{}: the folder cannot be locked: {}", path_, std::strerror(error));
    }
  } while (::fstat(*lock_, &here) != 0 || ::stat(file.c_str(), &there) != 0 || here.st_ino != there.st_ino ||
           here.st_dev != there.st_dev);
  const std::string me = holder();
  if (::ftruncate(*lock_, 0) != 0 || ::pwrite(*lock_, me.data(), me.size(), 0) != static_cast<ssize_t>(me.size()))
    fail(Fault::io, "{}: the folder cannot be locked: {}", path_, std::strerror(errno));
}

void RunFolder::replace_earlier() {
  begun_ = false;
  if (where_ == path_) return;
  std::error_code error;
  fs::rename(where_, path_ + "/.ready", error);
  if (error) fail(Fault::io, "{}: cannot be renamed: {}", where_, error.message());
  where_ = path_;
  install();
}

// Moves the finished files into place. If it is interrupted, calling it again completes it.
void RunFolder::install() {
  const fs::path ready = fs::path(path_) / ".ready";
  std::error_code error;
  if (!fs::exists(ready, error)) return;
  fs::remove(fs::path(path_) / "average.safetensors", error);  // of the earlier run; a run writes its own at the end
  for (const char* file : run_files) {
    const fs::path from = ready / file, to = fs::path(path_) / file;
    if (fs::exists(from, error)) move_file(from, to);
  }
  fs::remove_all(ready, error);
  if (error) fail(Fault::io, "{}: cannot be removed: {}", ready.string(), error.message());
}

}  // namespace evenkeel
