// The decoded pictures of a folder, kept in a file between two starts.
//
// What is kept of a picture counts as long as its name below the folder, its size, and the times of the last change of
// its contents and of its inode are those that it had when it was decoded; else the picture is decoded again. So does a
// picture whose kept pixels fail their checksum. A file of another folder, size, colour or decoder, and one that is
// damaged, counts as none. Nothing here throws because of a file that is not as it must be.
#pragma once
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "../../core/base/file.h"
#include "../../core/base/shape.h"
#include "image.h"

namespace evenkeel {

struct PictureOptions;

// By what a changed file is told; times in ns since 1970.
struct FileStamp {
  int64_t size = 0, modified = 0, changed = 0;
  bool operator==(const FileStamp&) const = default;
};

struct KeptPicture {
  std::string_view name;  // below the folder
  FileStamp stamp;
  Picture header;      // as picture_header gives it
  uint32_t crc = 0;    // CRC-32 of the pixels
  uint64_t place = 0;  // of the pixels, counted in pictures
};

class PictureCache {
 public:
  // The pictures below `root` as `options` say, in a file of its own in options.cache; where that is empty nothing is
  // found and nothing kept.
  PictureCache(const std::string& root, const PictureOptions& options);

  // The stamp of a picture's file now; all zeros where there is none, or nothing is kept.
  FileStamp stamp(const std::string& file) const;
  // Null: nothing is kept of it.
  const KeptPicture* find(std::string_view name, const FileStamp& stamp) const;
  // Brings its pixels, if they are kept in this shape and whole.
  bool read(const KeptPicture& picture, const Shape& image, uint8_t* pixels) const;

  // Whether a picture that is like this after it was read may be kept: its times are old enough that a later change
  // must have later ones.
  bool settled(const FileStamp& stamp) const;
  // Replaces what is kept. `pixels`: of all pictures in their order, in parts. The files longest not used go where all
  // in the folder would be more than options.cache_bytes. Returns why nothing is kept, or "".
  std::string keep(const std::vector<KeptPicture>& pictures, const Shape& image,
                   std::initializer_list<std::string_view> pixels) const;

 private:
  std::string file_, key_, index_;  // the index as it is in the file: names point into it
  uint64_t most_bytes_, pixels_at_ = 0;
  int64_t begun_;  // ns since 1970
  InputFile input_{"", Descriptor(), 0};
  Shape image_;
  std::unordered_map<std::string_view, KeptPicture> pictures_;

  void open();
};

// Removes all that is kept in the folder; returns how many files, and their bytes.
std::pair<int64_t, uint64_t> clear_picture_cache(const std::string& folder);

}  // namespace evenkeel
