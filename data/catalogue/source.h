// The table of data sets: what files each has, what they must be, and from where they can be fetched.
#pragma once
#include <filesystem>
#include <optional>
#include <string_view>

#include "../dataset.h"

namespace evenkeel {

enum class Layout {
  drawn,  // no files
  idx,    // images and labels, each as it is or with .gz
  cifar   // records of label bytes and colour planes
};

// A file to fetch: kept as it is, or an archive from which the set's files are taken.
struct Download {
  std::string file;
  int64_t size;                           // bytes
  std::string sha256;                     // in hexadecimal digits
  std::vector<std::string> members = {};  // of an archive: the files to take from it
};

struct Source {
  std::string name, description;
  Layout layout;
  Shape image;
  int64_t classes;
  bool flips;
  int64_t train_size, test_size;
  std::string folder = {};
  std::vector<std::string> train = {}, test = {};  // idx: {images, labels}, without .gz; cifar: batches of equal size
  bool transposed = false;                         // idx: images are stored column by column
  int64_t label_bytes = 1;                         // cifar: before every image, the last one counts
  int64_t first_label = 0;                         // idx: of the first class
  std::vector<std::string> class_names = {};
  std::vector<std::string> mirrors = {};  // URLs below which the downloads are
  std::vector<Download> downloads = {};
};

const std::vector<Source>& sources();
const Source& find_source(std::string_view name);  // Error(Fault::usage), with the names there are

// Folders that may hold the folder of a set, most wanted first; the first one is where a fetched set goes. data_dir
// alone, if given.
std::vector<std::filesystem::path> data_roots(const std::string& data_dir);

// The file of this name in a folder, as it is; an IDX file also as .idx3-ubyte for -idx3-ubyte, and each with .gz.
std::optional<std::filesystem::path> find_file(const Source& source, const std::filesystem::path& folder,
                                               const std::string& file);
// The first file of the set that the folder lacks; empty: none.
std::string first_lacking(const Source& source, const std::filesystem::path& folder);

// Reads the set from a folder that has all its files, or draws it: always the same images.
DataSplit read_source(const Source& source, const std::filesystem::path& folder = {});

}  // namespace evenkeel
