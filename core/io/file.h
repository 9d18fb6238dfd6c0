// Files: inputs are opened without blocking; outputs are replaced atomically.
#pragma once
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace evenkeel {

// A file descriptor, closed by the destructor.
class Descriptor {
 public:
  explicit Descriptor(int number = -1) : number_(number) {}
  ~Descriptor();
  Descriptor(Descriptor&& other) noexcept : number_(other.number_) { other.number_ = -1; }
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  int operator*() const { return number_; }
  bool open() const { return number_ >= 0; }

 private:
  int number_;
};

struct InputFile {
  std::string path;  // for messages
  Descriptor file;
  uint64_t size;  // when it was opened

  // Reads up to `count` bytes from offset `at`; fewer only at the end of the file. Error(Fault::io).
  size_t read(uint64_t at, void* out, size_t count) const;
};

// "LINK: it is a symbolic link to TARGET, which does not exist" if `path` or a folder in it is such a link, else "".
// check_link: Error(Fault::missing) with this text.
std::string broken_link(const std::string& path);
void check_link(const std::string& path);

// Opens a regular file for reading, without blocking. Throws Error: bad_file for a FIFO, a device, a socket or a
// folder, missing if the path does not exist, io if it cannot be opened.
InputFile open_input(const std::string& path);

// Reads the whole file by open_input(). Error(Fault::bad_file) if it is larger than max_bytes.
std::string read_file(const std::string& path, uint64_t max_bytes = uint64_t{8} << 30);

// Creates or replaces `path` atomically: writes a temporary file in the same folder, syncs it, renames it, syncs the
// folder.
//   - A replaced file keeps its permissions and group, and its owner if the system allows it.
//   - Symbolic links are followed, except those of another user in a folder where everybody may write.
//   - An existing `path` must be a writable regular file.
// On failure throws Error(Fault::io); the old file is unchanged and no temporary file remains, unless the message says
// that the new file is in place and only its folder could not be synced. Temporary files of killed processes are
// removed.
void write_file(const std::string& path, std::string_view contents);
void write_file(const std::string& path, std::span<const std::string_view> parts);  // one after the other

// Moves the finished file `from` to `path`, as if write_file had written it there. After Error(Fault::io)
// `path` has its old content, unless the message says otherwise.
void move_file(const std::string& from, const std::string& path);

// Opens an unnamed file of `bytes` zeros in `folder` for reading and writing, and reserves its disk space. Creates the
// folder if it is missing. The system deletes the file when it is no longer open or mapped. Error(Fault::io).
Descriptor scratch_file(const std::string& folder, uint64_t bytes);

// Error(Fault::io): the path and the system's reason.
[[noreturn]] void fail_io(const std::filesystem::filesystem_error& error);

// Removes the temporary files of processes that were killed while they wrote `path`.
void remove_unfinished(const std::string& path);

// Error(Fault::usage) if `path` is the folder `input` or lies anywhere in it, under any name.
void check_outside(const std::string& path, const std::string& input);

// Error(Fault::usage) if two outputs are the same file, under any names.
void check_different(const std::string& one, const std::string& other);

// Error(Fault::usage) if `path` is one of the inputs or lies anywhere in an input folder, under any name;
// Error(Fault::io) if write_file would refuse `path`. Commands call this before they start their work.
void check_output(const std::string& path, std::initializer_list<std::string> inputs);

// The user's cache folder: $XDG_CACHE_HOME/evenkeel, or ~/.cache/evenkeel if that variable is not set or is relative
// (as its specification says). The folder may not exist yet. Empty if $HOME is not set either.
std::string user_cache();

}  // namespace evenkeel
