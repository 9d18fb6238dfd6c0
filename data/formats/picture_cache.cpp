#include "data/formats/picture_cache.h"

#include <sys/stat.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <type_traits>

#include "core/base/check.h"
#include "core/io/file.h"
#include "data/formats/image_folder.h"

namespace evenkeel {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view magic = "ekpics\1\n", ending = ".pictures";

// The header of a cache file; the index and the pixels follow. Numbers have the machine's byte order.
struct Beginning {
  char magic[8];
  uint64_t index_bytes;
  uint32_t index_crc, reserved;
};

uint32_t crc_of(std::string_view bytes) {
  return static_cast<uint32_t>(crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

template <class T>
void append(std::string& out, T number) {
  static_assert(std::is_trivially_copyable_v<T>);
  out.append(reinterpret_cast<const char*>(&number), sizeof number);
}

// Reads values from the front of a text; `good` becomes false if it is too short.
struct Cursor {
  std::string_view rest;
  bool good = true;

  std::string_view text(uint64_t bytes) {
    good &= bytes <= rest.size();
    const std::string_view taken = rest.substr(0, good ? bytes : 0);
    rest.remove_prefix(taken.size());
    return taken;
  }
  template <class T>
  T number() {
    T value{};
    if (const std::string_view bytes = text(sizeof value); good) std::memcpy(&value, bytes.data(), sizeof value);
    return value;
  }
};

// Whether it is a cache file, DIGITS.pictures, or if `unfinished` a temporary file of one. Others are the user's.
bool is_cache(const fs::directory_entry& entry, bool unfinished) {
  const std::string name = entry.path().filename().string();
  const size_t digits = std::min(name.find_first_not_of("0123456789abcdef"), name.size());
  const std::string_view rest = std::string_view(name).substr(digits);
  std::error_code gone;
  return digits == 8 && (unfinished ? rest.starts_with(ending) : rest == ending) && entry.is_regular_file(gone);
}

// Removes the least recently used cache files until the others have at most `bytes`.
void make_room(const fs::path& folder, const fs::path& spared, uint64_t bytes) {
  struct Kept {
    fs::path path;
    fs::file_time_type used;
    uint64_t size;
  };
  std::vector<Kept> files;
  uint64_t all = 0;
  std::error_code gone;
  for (const auto& entry : fs::directory_iterator(folder, gone)) {
    if (!is_cache(entry, false) || entry.path() == spared) continue;
    files.push_back({entry.path(), entry.last_write_time(gone), entry.file_size(gone)});
    all += files.back().size;
  }
  std::sort(files.begin(), files.end(), [](const Kept& a, const Kept& b) { return a.used < b.used; });
  for (size_t i = 0; i < files.size() && all > bytes; ++i) {
    fs::remove(files[i].path, gone);
    all -= files[i].size;
  }
}

}  // namespace

PictureCache::PictureCache(const std::string& root, const PictureOptions& o)
    : most_bytes_(o.cache_bytes),
      begun_(std::chrono::nanoseconds(std::chrono::system_clock::now().time_since_epoch()).count()) {
  if (o.cache.empty()) return;
  key_ =
      fmt::format("{}\n{}x{}x{}\n{}", picture_decoder(), o.height, o.width, o.channels, fs::canonical(root).string());
  file_ = (fs::path(o.cache) / fmt::format("{:08x}{}", crc_of(key_), ending)).string();
  try {
    open();
  } catch (const Error&) {  // no file, or it cannot be read
    pictures_.clear();
  }
}

void PictureCache::open() {
  input_ = open_input(file_);
  Beginning b{};
  if (input_.read(0, &b, sizeof b) != sizeof b || std::memcmp(b.magic, magic.data(), sizeof b.magic) != 0 ||
      b.index_bytes > input_.size - sizeof b)
    return;
  index_.resize(b.index_bytes);
  if (input_.read(sizeof b, index_.data(), index_.size()) != index_.size() || crc_of(index_) != b.index_crc) return;
  pixels_at_ = sizeof b + b.index_bytes;
  Cursor index{index_};
  if (index.text(index.number<uint64_t>()) != key_) return;
  const auto height = index.number<int64_t>(), width = index.number<int64_t>(), channels = index.number<int64_t>();
  image_ = {height, width, channels};
  while (index.good && !index.rest.empty()) {
    KeptPicture p;
    p.stamp = index.number<FileStamp>();
    p.header.height = index.number<int64_t>();
    p.header.width = index.number<int64_t>();
    p.header.channels = index.number<int64_t>();
    p.crc = index.number<uint32_t>();
    p.place = index.number<uint64_t>();
    p.name = index.text(index.number<uint32_t>());
    if (index.good) pictures_.emplace(p.name, p);
  }
  std::error_code ignored;
  fs::last_write_time(file_, fs::file_time_type::clock::now(), ignored);  // the last use, for make_room()
}

FileStamp PictureCache::stamp(const std::string& file) const {
  struct stat s {};
  if (file_.empty() || ::stat(file.c_str(), &s) != 0) return {};
#ifdef __APPLE__
  const timespec modified = s.st_mtimespec, changed = s.st_ctimespec;
#else
  const timespec modified = s.st_mtim, changed = s.st_ctim;
#endif
  const auto nanoseconds = [](const timespec& t) { return int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec; };
  return {s.st_size, nanoseconds(modified), nanoseconds(changed)};
}

const KeptPicture* PictureCache::find(std::string_view name, const FileStamp& stamp) const {
  const auto found = pictures_.find(name);
  return found != pictures_.end() && found->second.stamp == stamp ? &found->second : nullptr;
}

bool PictureCache::read(const KeptPicture& picture, const Shape& image, uint8_t* pixels) const try {
  const auto bytes = static_cast<size_t>(image.size());
  return image == image_ && picture.place < input_.size / bytes &&
         input_.read(pixels_at_ + picture.place * bytes, pixels, bytes) == bytes &&
         crc_of({reinterpret_cast<const char*>(pixels), bytes}) == picture.crc;
} catch (const Error&) {
  return false;
}

// File times have a resolution of some ms, or of seconds on some file systems. A second change within that time leaves
// them unchanged.
bool PictureCache::settled(const FileStamp& stamp) const {
  constexpr int64_t second = 1'000'000'000;
  const bool coarse = stamp.modified % second == 0 || stamp.changed % second == 0;
  return std::max(stamp.modified, stamp.changed) + (coarse ? 2 * second : second / 10) < begun_;
}

std::string PictureCache::keep(const std::vector<KeptPicture>& pictures, const Shape& image,
                               std::initializer_list<std::string_view> pixels) const try {
  if (file_.empty()) return "";
  std::string index;
  append(index, uint64_t{key_.size()});
  index += key_;
  for (int axis = 0; axis < 3; ++axis) append(index, image[axis]);
  for (const KeptPicture& p : pictures) {
    append(index, p.stamp);
    append(index, p.header.height);
    append(index, p.header.width);
    append(index, p.header.channels);
    append(index, p.crc);
    append(index, p.place);
    append(index, static_cast<uint32_t>(p.name.size()));
    index += p.name;
  }
  Beginning b{.magic = {}, .index_bytes = index.size(), .index_crc = crc_of(index), .reserved = 0};
  std::memcpy(b.magic, magic.data(), sizeof b.magic);
  std::vector<std::string_view> parts{{reinterpret_cast<const char*>(&b), sizeof b}, index};
  parts.insert(parts.end(), pixels);
  uint64_t bytes = 0;
  for (const std::string_view part : parts) bytes += part.size();
  if (bytes > most_bytes_) return fmt::format("they take {} bytes, and at most {} are kept", bytes, most_bytes_);
  const fs::path folder = fs::path(file_).parent_path();
  if (folder.has_parent_path()) fs::create_directories(folder.parent_path());
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST)  // pictures may be private
    return fmt::format("cannot make {}: {}", folder.string(), std::strerror(errno));
  make_room(folder, file_, most_bytes_ - bytes);
  write_file(file_, parts);
  return "";
} catch (const fs::filesystem_error& error) {
  return fmt::format("{}: {}", error.path1().string(), error.code().message());
} catch (const std::exception& error) {
  return error.what();
}

std::pair<int64_t, uint64_t> clear_picture_cache(const std::string& folder) try {
  int64_t files = 0;
  uint64_t bytes = 0;
  if (!fs::exists(folder)) return {0, 0};
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (!is_cache(entry, true)) continue;
    bytes += entry.file_size();
    ++files;
    fs::remove(entry.path());
  }
  return {files, bytes};
} catch (const fs::filesystem_error& error) {
  fail_io(error);
}

}  // namespace evenkeel
