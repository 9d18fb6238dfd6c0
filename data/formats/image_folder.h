// A folder of pictures as a data set: the names of its folders are the classes.
//
//   PATH/train/CLASS/...  and  PATH/test/CLASS/... or PATH/val/CLASS/...
//   PATH/CLASS/...        a part of every class is held out by the seed
//
// Classes stand in byte order of their names, in which control characters and what is not UTF-8 are written out as
// \xNN. Below a class's folder every file is a picture, in folders however deep. Files whose names begin with a dot,
// Thumbs.db, desktop.ini and __MACOSX are passed over, and so is what stands beside the classes' folders. A symbolic
// link is followed; a folder that several of them lead to counts once for a class.
#pragma once
#include <functional>

#include "../dataset.h"
#include "image.h"

namespace evenkeel {

// How a folder of pictures becomes a data set. Other sets of a user's own heed height, width, channels and classes,
// NumPy's arrays also holdout, seed and channels_first.
struct PictureOptions {
  int64_t height = 0, width = 0;  // 0: the images' own where all agree, else 32 x 32
  int64_t channels = 0;           // 1: grey, 3: red, green and blue; 0: 1 where all are grey
  double holdout = 0.2;           // where there is no test folder: the part of every class that is held out by the seed
  uint64_t seed = 1;
  bool channels_first = false;  // of NumPy's arrays: (N, C, H, W)
  std::string cache = {};       // a folder in which decoded pictures are kept for the next time; empty: none are
  uint64_t cache_bytes = uint64_t{4} << 30;  // of all that is kept there
  bool skip_bad = false;                     // a file that is no picture is passed over and counted, instead of refused
  std::vector<std::string> classes = {};     // in a network's order; empty: the folders' names in byte order
};

struct LoadReport {
  std::function<void(const std::string&)> note = [](const std::string&) {};  // a line on what was found
  // Called several times a second with numbers of pictures; may throw, which ends the reading.
  std::function<void(int64_t done, int64_t total)> progress = [](int64_t, int64_t) {};
};

// Throws Error: bad_file with the names of the files that are no pictures, usage where there are no two classes.
DataSplit read_image_folder(const std::string& path, const PictureOptions& options, const LoadReport& report);

// The files below a folder that are to be pictures, in byte order.
std::vector<std::string> picture_files(const std::string& folder);

// The picture of a file in the given size and channels.
Picture read_picture(const std::string& file, int64_t height, int64_t width, int64_t channels);

}  // namespace evenkeel
