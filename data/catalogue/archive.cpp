#include "data/catalogue/archive.h"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "core/base/check.h"
#include "core/io/file.h"
#include "data/formats/bytes.h"
#include "data/formats/zip.h"

namespace evenkeel {
namespace {

namespace fs = std::filesystem;

// A mapped file: archives may be larger than memory.
class MappedFile {
 public:
  explicit MappedFile(const fs::path& path) {
    const InputFile input = open_input(path.string());
    size_ = input.size;
    if (size_) address_ = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, *input.file, 0);
    if (address_ == MAP_FAILED) fail(Fault::io, "{}: cannot be read: {}", path.string(), std::strerror(errno));
  }
  ~MappedFile() {
    if (address_) ::munmap(address_, size_);
  }
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  std::string_view bytes() const { return {static_cast<const char*>(address_), size_}; }

 private:
  void* address_ = nullptr;
  size_t size_ = 0;
};

// Copies `size` bytes to a new file, or skips them.
void copy(ByteReader& reader, uint64_t size, const fs::path& target = {}) {
  std::ofstream out;
  if (!target.empty()) out.open(target, std::ios::binary | std::ios::trunc);
  std::string buffer;
  for (uint64_t done = 0; done < size; done += buffer.size()) {
    buffer.resize(std::min<uint64_t>(size - done, 1 << 20));
    reader.read(buffer.data(), buffer.size());
    if (!target.empty()) out.write(buffer.data(), static_cast<std::streamsize>(buffer.size()));
  }
  out.close();
  if (!target.empty() && !out) fail(Fault::io, "cannot write {}", target.string());
}

// Returns the wanted file that this member is, if any, and removes it from the list.
std::string claim(std::vector<std::string>& wanted, std::string_view member) {
  const std::string file(member.substr(member.rfind('/') + 1));
  return std::erase(wanted, file) ? file : "";
}

// A tar is a sequence of members: a header of 512 bytes (name 0..99, size in octal digits 124..135, type 156), then the
// data, padded to a multiple of 512. An empty header ends it. (POSIX.1-1988, ustar)
void unpack_tar(const std::string& name, std::string_view bytes, std::vector<std::string>& wanted,
                const fs::path& folder) {
  ByteReader reader(name, bytes);
  while (!wanted.empty()) {
    std::string header(512, '\0');
    reader.read(header.data(), header.size());
    if (header[0] == '\0') return;
    uint64_t size = 0;
    for (const char c : header.substr(124, 12)) {
      if (c == ' ' || c == '\0') continue;
      if (c < '0' || c > '7') fail(Fault::bad_file, "{}: a header of the tar is damaged", name);
      size = size * 8 + static_cast<uint64_t>(c - '0');
    }
    const bool regular = header[156] == '0' || header[156] == '\0';
    const std::string file = regular ? claim(wanted, header.substr(0, std::min<size_t>(header.find('\0'), 100))) : "";
    copy(reader, size, file.empty() ? fs::path() : folder / file);
    copy(reader, (512 - size % 512) % 512);
  }
}

void unpack_zip(const std::string& name, std::string_view bytes, std::vector<std::string>& wanted,
                const fs::path& folder) {
  for (const ZipMember& member : zip_members(name, bytes)) {
    const std::string file = claim(wanted, member.name);
    if (file.empty()) continue;
    ByteReader reader = open_member(name, bytes, member);
    copy(reader, member.size, folder / file);
    reader.finish();
  }
}

}  // namespace

void unpack(const fs::path& archive, const std::vector<std::string>& files, const fs::path& folder) {
  const MappedFile mapped(archive);
  std::vector<std::string> wanted = files;
  (mapped.bytes().starts_with("PK") ? unpack_zip : unpack_tar)(archive.string(), mapped.bytes(), wanted, folder);
  if (!wanted.empty()) fail(Fault::bad_file, "{}: {} is not in it", archive.string(), wanted.front());
}

}  // namespace evenkeel
