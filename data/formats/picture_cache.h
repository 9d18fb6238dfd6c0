// A cache file with the decoded pictures of a folder, for the next start.
//
// A cached picture is valid while its name below the folder, its file size, and the modification times of its contents
// and inode are unchanged and its pixels match their checksum; otherwise it is decoded again. A cache file for another
// folder, size, colour or decoder, or a damaged one, is ignored. Nothing here throws because of an invalid file.
#pragma once
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "../../core/base/shape.h"
#include "../../core/io/file.h"
#include "image.h"

namespace evenkeel {

struct PictureOptions;

// Detects a changed file; times in ns since 1970.
struct FileStamp {
  int64_t size = 0, modified = 0, changed = 0;
  bool operator==(const FileStamp&) const = default;
};

struct KeptPicture {
  std::string_view name;  // below the folder
  FileStamp stamp;
  Picture header;      // as picture_header gives it
  uint32_t crc = 0;    // CRC-32 of the pixels
  uint64_t place = 0;  // index of its pixels, in pictures
};

class PictureCache {
 public:
  // The cache of the pictures below `root` with these options: one file in options.cache. If that is empty, there is no
  // cache.
  PictureCache(const std::string& root, const PictureOptions& options);

  // The current stamp of a picture's file; all zeros if there is no such file, or no cache.
  FileStamp stamp(const std::string& file) const;
  // Null if it is not in the cache.
  const KeptPicture* find(std::string_view name, const FileStamp& stamp) const;
  // Reads its pixels. False unless they have this shape and match their checksum.
  bool read(const KeptPicture& picture, const Shape& image, uint8_t* pixels) const;

  // Whether a picture with this stamp after reading may be cached: its times are old enough that any later change gets
  // later times.
  bool settled(const FileStamp& stamp) const;
  // Replaces the cache file. `pixels`: of all pictures in order, in parts. Removes the least recently used files while
  // the folder exceeds options.cache_bytes. Returns why nothing was cached, or "".
  std::string keep(const std::vector<KeptPicture>& pictures, const Shape& image,
                   std::initializer_list<std::string_view> pixels) const;

 private:
  std::string file_, key_, index_;  // the file's index; names point into it
  uint64_t most_bytes_, pixels_at_ = 0;
  int64_t begun_;  // ns since 1970
  InputFile input_{"", Descriptor(), 0};
  Shape image_;
  std::unordered_map<std::string_view, KeptPicture> pictures_;

  void open();
};

// Removes all cache files in the folder; returns their number and bytes.
std::pair<int64_t, uint64_t> clear_picture_cache(const std::string& folder);

}  // namespace evenkeel
