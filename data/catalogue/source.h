// The table of data sets: the files of each, their sizes and digests, and the mirrors that have them.
#pragma once
#include <filesystem>
#include <string_view>

#include "../dataset.h"

namespace evenkeel {

enum class Layout {
  drawn,  // no files
  idx,    // images and labels, each plain or .gz
  cifar   // records of label bytes and colour planes
};

// A file to download: one of the set's files, or an archive that contains them.
struct Download {
  std::string file;
  int64_t size;                           // bytes
  std::string sha256;                     // in hexadecimal digits
  std::vector<std::string> members = {};  // of an archive: the files to extract
};

struct Source {
  std::string name = {}, description = {};
  Layout layout;
  Shape image = {};
  int64_t classes = 0;
  bool flips = false;
  int64_t train_size = 0, test_size = 0;
  std::string folder = {};
  std::vector<std::string> train = {}, test = {};  // idx: {images, labels}, without .gz; cifar: batches of equal size
  bool transposed = false;                         // idx: images are stored column by column
  int64_t label_bytes = 1;                         // cifar: labels before every image; the last one counts
  int64_t first_label = 0;                         // idx: the label of the first class
  std::vector<std::string> class_names = {};
  std::vector<std::string> mirrors = {};  // base URLs of the downloads
  std::vector<Download> downloads = {};
};

const std::vector<Source>& sources();
const Source& find_source(std::string_view name);  // Error(Fault::usage), with the known names

// The folders to search for a set's folder, in order; downloads go into the first. Only data_dir, if given.
std::vector<std::filesystem::path> data_roots(const std::string& data_dir);

// The first file of the set that is missing in the folder; empty if none is.
std::string first_lacking(const Source& source, const std::filesystem::path& folder);

// Reads the set from a folder with all its files, or draws it: always the same images.
DataSplit read_source(const Source& source, const std::filesystem::path& folder = {});

}  // namespace evenkeel
