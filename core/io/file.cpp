#include "core/io/file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <random>

#include "core/base/check.h"

namespace evenkeel {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void fail_io(const std::string& what, const std::string& path, int error) {
  fail(Fault::io, "{} {}: {}", what, path, std::strerror(error));
}

const char* kind_of(mode_t mode) {
  return S_ISDIR(mode)                    ? "a folder"
         : S_ISFIFO(mode)                 ? "a FIFO"
         : S_ISSOCK(mode)                 ? "a socket"
         : S_ISCHR(mode) || S_ISBLK(mode) ? "a device"
                                          : "something else";
}

fs::path folder_of(const fs::path& path) { return path.has_parent_path() ? path.parent_path() : "."; }

// The path behind symbolic links, also if nothing exists there yet. In a folder where everybody may write, follows only
// links of the user or of the folder's owner, as the kernel does with fs.protected_symlinks.
fs::path resolve(fs::path path) {
  struct stat link {
  }, folder{};
  for (int links = 0; ::lstat(path.c_str(), &link) == 0 && S_ISLNK(link.st_mode); ++links) {
    if (links == 40) fail_io("cannot follow", path, ELOOP);
    if (::stat(folder_of(path).c_str(), &folder) == 0 && (folder.st_mode & S_IWOTH) && link.st_uid != ::geteuid() &&
        link.st_uid != folder.st_uid)
      fail(
          Fault::io,
          "cannot write {}: it is a symbolic link that another user has put into a folder in which everybody may write",
          path.string());
    std::error_code error;
    const fs::path to = fs::read_symlink(path, error);
    if (error) fail_io("cannot follow", path, error.value());
    path = path.parent_path() / to;
  }
  return path;
}

// The one name, from the root, of what a path leads to or would create.
fs::path true_path(const std::string& path) {
  const fs::path whole = fs::absolute(resolve(path));  // a relative path of which nothing exists would stay relative
  std::error_code error;
  const fs::path found = fs::weakly_canonical(whole, error);
  return error ? whole.lexically_normal() : found;
}

// The existing file at an output's path; st_nlink is 0 if there is none. Throws if it must not be replaced.
struct stat replaced_file(const std::string& target, const std::string& path) {
  struct stat status {};
  if (::stat(target.c_str(), &status) != 0) return {};
  if (!S_ISREG(status.st_mode))
    fail(Fault::io, "cannot write {}: it is {}, not a regular file", path, kind_of(status.st_mode));
  // The mode is checked too: root may write to a read-only file.
  if ((status.st_mode & 0222) == 0)
    fail(Fault::io, "cannot write {}: it is read-only; remove it, or choose another name", path);
  if (::faccessat(AT_FDCWD, target.c_str(), W_OK, AT_EACCESS) != 0) fail_io("cannot write", path, errno);
  return status;
}

constexpr std::string_view part_ending = ".part";
constexpr size_t part_digits = 12;

std::string part_prefix(const fs::path& target) { return target.filename().string().substr(0, 200) + "."; }

// A temporary file beside its target. Its writer holds a lock on it, so a file without a lock belongs to a killed
// process.
class Part {
 public:
  Part(const fs::path& target, mode_t mode) {
    std::random_device random;
    for (int tries = 0; tries < 100; ++tries) {
      const uint64_t number = (uint64_t{random()} << 32 | random()) & 0xffffffffffff;
      name_ = (folder_of(target) / fmt::format("{}{:012x}{}", part_prefix(target), number, part_ending)).string();
      file_ = Descriptor(::open(name_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
      if (!file_.open()) {
        if (errno == EEXIST) continue;
        const int error = errno;
        name_.clear();
        fail_io("cannot create", target, error);
      }
      // Before the lock is taken, another process may mistake the file for one of a killed process and remove it.
      struct stat status {};
      const bool taken = ::flock(*file_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
      if (!taken && ::fstat(*file_, &status) == 0 && status.st_nlink > 0) return;
    }
    fail(Fault::io, "cannot create {}: no name for a temporary file beside it is free", target.string());
  }
  ~Part() {
    if (!name_.empty()) ::unlink(name_.c_str());  // nothing has the name after install()
  }
  Part(const Part&) = delete;
  Part& operator=(const Part&) = delete;

  int file() const { return *file_; }
  const std::string& name() const { return name_; }

 private:
  std::string name_;
  Descriptor file_;
};

// Puts a file in the place of the old one, with its permissions, group and owner. False if they lie on two file
// systems.
bool install(int file, const std::string& name, const fs::path& target, const struct stat& old) {
  if (old.st_nlink > 0) {
    mode_t mode = old.st_mode & 0777;
    if (::fchown(file, old.st_uid, old.st_gid) != 0 && ::fchown(file, static_cast<uid_t>(-1), old.st_gid) != 0)
      mode &= ~mode_t{070};  // the new group must not get the old group's rights
    if (::fchmod(file, mode) != 0) fail_io("cannot set the permissions of", target, errno);
  }
  if (::fsync(file) != 0) fail_io("cannot sync", target, errno);
  if (::rename(name.c_str(), target.c_str()) != 0) {
    if (errno == EXDEV) return false;
    fail_io("cannot rename to", target, errno);
  }
  const Descriptor folder(::open(folder_of(target).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder.open() || ::fsync(*folder) != 0)
    fail(Fault::io, "{} is written and in place, but its folder cannot be synced: {}; a power failure now may undo it",
         target.string(), std::strerror(errno));
  return true;
}

std::string contents_of(const InputFile& input) {
  std::string contents(input.size, '\0');
  contents.resize(input.read(0, contents.data(), contents.size()));
  return contents;
}

bool same_file(const std::string& a, const std::string& b) {
  struct stat x {
  }, y{};
  return ::stat(a.c_str(), &x) == 0 && ::stat(b.c_str(), &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

}  // namespace

Descriptor::~Descriptor() {
  if (number_ >= 0) ::close(number_);
}

std::string broken_link(const std::string& path) {
  std::error_code ignored;
  for (fs::path link = path; link.has_relative_path(); link = link.parent_path()) {
    if (fs::is_symlink(link, ignored) && !fs::exists(link, ignored))
      return fmt::format("{}: it is a symbolic link to {}, which does not exist", link.string(),
                         fs::read_symlink(link, ignored).string());
  }
  return "";
}

void check_link(const std::string& path) {
  if (const std::string broken = broken_link(path); !broken.empty()) fail(Fault::missing, "{}", broken);
}

InputFile open_input(const std::string& path) {
  // O_NONBLOCK: opening a FIFO without a writer does not block. It has no effect on a regular file.
  Descriptor file(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  const int error = errno;
  struct stat status {};
  const bool known = file.open() ? ::fstat(*file, &status) == 0 : ::stat(path.c_str(), &status) == 0;
  if (known && !S_ISREG(status.st_mode))
    fail(Fault::bad_file, "{}: it is {}, not a regular file", path, kind_of(status.st_mode));
  if (!file.open() && (error == ENOENT || error == ENOTDIR)) {
    check_link(path);
    fail(Fault::missing, "there is no file {}", path);
  }
  if (!file.open()) fail_io("cannot open", path, error);
  if (!known) fail_io("cannot read", path, errno);
  return {path, std::move(file), static_cast<uint64_t>(status.st_size)};
}

size_t InputFile::read(uint64_t at, void* out, size_t count) const {
  size_t done = 0;
  while (done < count) {
    const ssize_t n = ::pread(*file, static_cast<char*>(out) + done, count - done, static_cast<off_t>(at + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail_io("cannot read", path, errno);
    if (n == 0) break;
    done += static_cast<size_t>(n);
  }
  return done;
}

std::string read_file(const std::string& path, uint64_t max_bytes) {
  const InputFile input = open_input(path);
  if (input.size > max_bytes)
    fail(Fault::bad_file, "{}: it has {} bytes; at most {} are read", path, input.size, max_bytes);
  return contents_of(input);
}

void remove_unfinished(const std::string& path) {
  const fs::path target = resolve(path);
  const std::string prefix = part_prefix(target);
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder_of(target), ignored)) {
    const std::string name = entry.path().filename().string();
    if (name.size() != prefix.size() + part_digits + part_ending.size() || !name.starts_with(prefix) ||
        !name.ends_with(part_ending) ||
        name.find_first_not_of("0123456789abcdef", prefix.size()) != prefix.size() + part_digits)
      continue;
    const Descriptor part(::open(entry.path().c_str(), O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC));
    if (part.open() && ::flock(*part, LOCK_EX | LOCK_NB) == 0) ::unlink(entry.path().c_str());
  }
}

void write_file(const std::string& path, std::string_view contents) { write_file(path, std::span(&contents, 1)); }

void write_file(const std::string& path, std::span<const std::string_view> parts) {
  const fs::path target = resolve(path);
  const struct stat old = replaced_file(target, path);
  remove_unfinished(path);
  const Part part(target, old.st_nlink > 0 ? 0600 : 0666);
  for (std::string_view left : parts) {
    while (!left.empty()) {
      const ssize_t n = ::write(part.file(), left.data(), left.size());
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) fail_io("cannot write", target, n < 0 ? errno : ENOSPC);
      left.remove_prefix(static_cast<size_t>(n));
    }
  }
  if (!install(part.file(), part.name(), target, old)) fail_io("cannot rename to", target, EXDEV);
}

void move_file(const std::string& from, const std::string& path) {
  const fs::path target = resolve(path);
  const InputFile input = open_input(from);
  if (install(*input.file, from, target, replaced_file(target, path))) return;
  write_file(path, contents_of(input));
  ::unlink(from.c_str());
}

Descriptor scratch_file(const std::string& folder, uint64_t bytes) {
  if (folder.empty()) fail(Fault::io, "neither $XDG_CACHE_HOME nor $HOME names a folder");
  std::error_code ignored;  // creating the file reports the error
  fs::create_directories(folder, ignored);
  std::string name = folder + "/scratch.XXXXXX";
  Descriptor file(::mkostemp(name.data(), O_CLOEXEC));
  if (!file.open()) fail_io("cannot make a file in", folder, errno);
  ::unlink(name.c_str());
#ifdef __APPLE__
  const int error = ::ftruncate(*file, static_cast<off_t>(bytes)) == 0 ? 0 : errno;
#else
  int error;
  do error = ::posix_fallocate(*file, 0, static_cast<off_t>(bytes));
  while (error == EINTR);
#endif
  if (error != 0) fail_io(fmt::format("cannot set aside {} bytes in", bytes), folder, error);
  return file;
}

void fail_io(const fs::filesystem_error& error) {
  fail(Fault::io, "{}: {}", error.path1().string(), error.code().message());
}

void check_outside(const std::string& path, const std::string& input) {
  std::error_code ignored;
  if (!fs::is_directory(input, ignored)) return;
  for (fs::path folder = true_path(path);; folder = folder.parent_path()) {
    check(!same_file(folder, input), "the output {} lies in {}, which is read; choose another folder", path, input);
    if (folder == folder.parent_path()) return;
  }
}

void check_different(const std::string& one, const std::string& other) {
  check(true_path(one) != true_path(other), "the outputs {} and {} are one file; choose another name for one of them",
        one, other);
}

void check_output(const std::string& path, std::initializer_list<std::string> inputs) {
  const fs::path resolved = resolve(path);
  for (const std::string& input : inputs) {
    check(!same_file(resolved, input), "the output {} is the input {}; choose another name", path, input);
    check_outside(path, input);
  }
  replaced_file(resolved, path);
  if (struct stat status{}; ::stat(folder_of(resolved).c_str(), &status) != 0 || !S_ISDIR(status.st_mode))
    fail(Fault::io, "cannot write {}: there is no folder {}", path, folder_of(resolved).string());
  if (::faccessat(AT_FDCWD, folder_of(resolved).c_str(), W_OK | X_OK, AT_EACCESS) != 0)
    fail(Fault::io, "cannot write {}: its folder: {}", path, std::strerror(errno));
}

std::string user_cache() {
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return fs::path(value ? value : "");
  };
  const fs::path cache = variable("XDG_CACHE_HOME"), home = variable("HOME");
  return cache.is_absolute() ? cache / "evenkeel" : home.empty() ? "" : home / ".cache" / "evenkeel";
}

}  // namespace evenkeel
