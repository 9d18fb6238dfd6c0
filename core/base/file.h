// Files: inputs that are opened without waiting, outputs that a reader sees old or new, never in part.
#pragma once
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace evenkeel {

// An open file's number, closed with it.
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

  // Up to `count` bytes from place `at` on; fewer only where the file ends. Error(Fault::io).
  size_t read(uint64_t at, void* out, size_t count) const;
};

// Opens a regular file for reading. Never waits: a FIFO, a device, a socket or a folder is refused by name with
// Error(Fault::bad_file). Error(Fault::missing) where there is nothing, Error(Fault::io) where it cannot be opened.
InputFile open_input(const std::string& path);

// The whole file, opened so; Error(Fault::bad_file) where it is larger than max_bytes.
std::string read_file(const std::string& path, uint64_t max_bytes = uint64_t{8} << 30);

// Replaces `path`, or creates it: writes a temporary file of a name of its own beside it, syncs it, renames it, syncs
// the folder.
//   - A replaced file's permissions and group stay, and its owner where the system allows it.
//   - Symbolic links are followed, but not those that another user has put into a folder in which everybody may write.
//   - What is there must be a regular file that may be written to; else it is refused.
// On failure throws Error(Fault::io). The old file is then as it was and nothing stays beside it, unless the message
// says that the new one is in place and only its folder could not be synced. What a killed process left beside the file
// is removed.
void write_file(const std::string& path, std::string_view contents);
void write_file(const std::string& path, std::span<const std::string_view> parts);  // one after the other

// Opens a file without a name in `folder`, which is made if it is missing, for reading and writing: `bytes` zeros,
// whose disk space is set aside. The file is gone once nobody has it open or mapped. Error(Fault::io).
Descriptor scratch_file(const std::string& folder, uint64_t bytes);

// Removes what processes that were killed while they wrote `path` left beside it.
void remove_unfinished(const std::string& path);

// Refuses with Error(Fault::usage) to write to `path` where that is one of the inputs, or lies in one that is a folder,
// by whatever path each is named; with Error(Fault::io) where write_file would refuse. For a command to ask before it
// begins its work.
void check_output(const std::string& path, std::initializer_list<std::string> inputs);

// The folder below which the program keeps things of its own for a user: evenkeel in $XDG_CACHE_HOME, which is ignored
// where it is relative, as its definition says, or in ~/.cache. It need not be there. Empty: neither variable is set.
std::string user_cache();

}  // namespace evenkeel
