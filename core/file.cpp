#include "core/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <filesystem>

#include "core/check.h"

namespace evenkeel {
namespace {

[[noreturn]] void fail_io(const std::string& what, const std::string& path, int error) {
  fail(Fault::io, "{} {}: {}", what, path, std::strerror(error));
}

struct Descriptor {
  explicit Descriptor(int f) : fd(f) {}
  ~Descriptor() {
    if (fd >= 0) ::close(fd);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int fd;
};

// Where a path leads through symbolic links, also where nothing is there yet.
std::filesystem::path resolve(std::filesystem::path path) {
  std::error_code none;
  for (int links = 0; std::filesystem::is_symlink(path, none); ++links) {
    if (links == 40) fail_io("cannot follow", path, ELOOP);
    path = path.parent_path() / std::filesystem::read_symlink(path, none);
  }
  return path;
}

}  // namespace

void write_file(const std::string& path, std::string_view contents) {
  const std::filesystem::path resolved = resolve(path), folder_path = resolved.has_parent_path() ? resolved.parent_path() : ".";
  const std::string target = resolved, part = target + ".part";
  struct stat status {};
  if (::stat(target.c_str(), &status) == 0 && !S_ISREG(status.st_mode)) fail(Fault::io, "cannot write {}: it is not a regular file", path);
  ::unlink(part.c_str());  // left by a process that was killed
  try {
    const Descriptor file(::open(part.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
    if (file.fd < 0) fail_io("cannot create", part, errno);
    for (size_t done = 0; done < contents.size();) {
      const ssize_t n = ::write(file.fd, contents.data() + done, contents.size() - done);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) fail_io("cannot write", part, n < 0 ? errno : ENOSPC);
      done += static_cast<size_t>(n);
    }
    if (::fsync(file.fd) != 0) fail_io("cannot sync", part, errno);
    if (::rename(part.c_str(), target.c_str()) != 0) fail_io("cannot rename to", target, errno);
  } catch (...) {
    ::unlink(part.c_str());
    throw;
  }
  const Descriptor folder(::open(folder_path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder.fd < 0 || ::fsync(folder.fd) != 0) fail_io("cannot sync the folder of", target, errno);
}

std::string read_file(const std::string& path, size_t max_bytes) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.fd < 0) {
    if (errno == ENOENT || errno == ENOTDIR) fail(Fault::missing, "there is no file {}", path);
    fail_io("cannot open", path, errno);
  }
  struct stat status {};
  if (::fstat(file.fd, &status) != 0) fail_io("cannot read", path, errno);
  if (!S_ISREG(status.st_mode)) fail(Fault::bad_file, "{}: not a regular file", path);
  if (static_cast<uint64_t>(status.st_size) > max_bytes)
    fail(Fault::bad_file, "{}: it has {} bytes; at most {} are read", path, status.st_size, max_bytes);
  std::string contents(static_cast<size_t>(status.st_size), '\0');
  size_t done = 0;
  while (done < contents.size()) {
    const ssize_t n = ::read(file.fd, contents.data() + done, contents.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail_io("cannot read", path, errno);
    if (n == 0) break;
    done += static_cast<size_t>(n);
  }
  contents.resize(done);
  return contents;
}

}  // namespace evenkeel
