// IDX files, the format of MNIST and its relatives: a magic number (0, 0, type, rank), the extents, the values row by
// row.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "../dataset.h"

namespace evenkeel {

struct IdxArray {
  Shape shape;
  Pixels values;
};

// An array of unsigned bytes with `rank` axes, none of them empty, from a file's contents, plain or gzip. Throws
// Error(Fault::bad_file), with the name and the reason, before it allocates or reads the values.
IdxArray parse_idx(const std::string& name, std::string_view bytes, int rank);
IdxArray read_idx(const std::string& path, int rank);

// Fills data.pixels and data.labels from a pair of files, which must fit each other, data.image and data.classes. If
// data.image has rank 0, it is set to the images' shape; if data.classes is 0, any label is accepted. transposed: the
// images are stored column by column (EMNIST). first_label: the first class's label in the file.
void read_idx_pair(Dataset& data, const std::string& images_path, const std::string& labels_path,
                   bool transposed = false, int64_t first_label = 0);

}  // namespace evenkeel
