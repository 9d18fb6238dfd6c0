// A folder of pictures as a data set: its subfolders are the classes.
//
//   PATH/train/CLASS/...  and  PATH/test/CLASS/... or PATH/val/CLASS/...
//   PATH/CLASS/...        a random part of every class is held out
//
// Beside train or training, the words testing, valid and validation do too; all of them in any case.
//
// Classes are in byte order of their names; control characters and bytes that are not UTF-8 become \xNN. Every file
// below a class's folder is a picture, at any depth. Names that start with a dot, Thumbs.db, desktop.ini and __MACOSX
// are ignored, and so are files beside the classes' folders. Symbolic links are followed; a class counts a folder once,
// also if several links lead to it.
#pragma once
#include <functional>

#include "../dataset.h"
#include "image.h"

namespace evenkeel {

// How a folder of pictures becomes a data set. The other formats of load_own() use height, width, channels and classes;
// NumPy arrays also use holdout, seed and channels_first.
struct PictureOptions {
  int64_t height = 0, width = 0;  // 0: the images' own if all are equal, else 32 x 32
  int64_t channels = 0;           // 1: grey, 3: RGB, 0: 1 if all pictures are grey, else 3
  double holdout = 0.2;           // without a test folder: the part of every class to hold out
  uint64_t seed = 1;
  bool channels_first = false;               // NumPy arrays are (N, C, H, W)
  std::string cache = {};                    // the folder of the cache of decoded pictures; empty: no cache
  uint64_t cache_bytes = uint64_t{4} << 30;  // the largest size of that folder
  bool skip_bad = false;                     // skip and count files that are no pictures, instead of an error
  std::vector<std::string> classes = {};     // in a network's order; empty: the folders in byte order
};

struct LoadReport {
  std::function<void(const std::string&)> note = [](const std::string&) {};  // gets a line on what was found
  // Called several times a second with numbers of pictures. An exception ends the reading.
  std::function<void(int64_t done, int64_t total)> progress = [](int64_t, int64_t) {};
};

// Notes that a part of a data set is not read, because another one is there.
void note_unread(const LoadReport& report, const std::string& path, const std::string& part, const std::string& other);

// Throws Error: bad_file, with the names of files that are no pictures; usage, if there are fewer than two classes.
DataSplit read_image_folder(const std::string& path, const PictureOptions& options, const LoadReport& report);

// The files below a folder that must be pictures, in byte order. Calls `unreadable` with a line on each folder that
// cannot be listed; without it, Error(Fault::io).
std::vector<std::string> picture_files(const std::string& folder,
                                       const std::function<void(const std::string&)>& unreadable = {});

// Error(Fault::usage) if the images of a set, whose size was not chosen, have more than 1024 rows or columns.
void check_largest(const std::string& path, int64_t height, int64_t width);

// Reads a picture, in the given size and channels.
Picture read_picture(const std::string& file, int64_t height, int64_t width, int64_t channels);

}  // namespace evenkeel
