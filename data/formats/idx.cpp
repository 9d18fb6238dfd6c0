#include "data/formats/idx.h"

#include "core/base/file.h"
#include "data/formats/bytes.h"

namespace evenkeel {

IdxArray parse_idx(const std::string& name, std::string_view bytes, int rank) {
  ByteReader reader(name, bytes);
  const uint32_t magic = reader.read_big_endian(), wanted = 0x800u + static_cast<uint32_t>(rank);  // 8: unsigned bytes
  if (magic != wanted) fail(Fault::bad_file, "{}: the magic number must be {:#010x}, it is {:#010x}", name, wanted, magic);
  IdxArray array;
  uint64_t size = 1;
  for (int axis = 0; axis < rank; ++axis) {
    const uint32_t extent = reader.read_big_endian();
    if (extent == 0) fail(Fault::bad_file, "{}: its header says that axis {} is empty", name, axis);
    if (__builtin_mul_overflow(size, extent, &size) || size > static_cast<uint64_t>(Shape::max_size))
      fail(Fault::bad_file, "{}: its header promises more than 2^58 bytes", name);
    array.shape.push_back(extent);
  }
  reader.expect(size);
  array.values.resize(size);
  reader.read(array.values.data(), size);
  reader.finish();
  return array;
}

IdxArray read_idx(const std::string& path, int rank) { return parse_idx(path, read_file(path), rank); }

void read_idx_pair(Dataset& data, const std::string& images_path, const std::string& labels_path, bool transposed) {
  IdxArray images = read_idx(images_path, 3), labels = read_idx(labels_path, 1);
  const int64_t n = images.shape[0], height = images.shape[1], width = images.shape[2];
  if (Shape{height, width, 1} != data.image)
    fail(Fault::bad_file, "{}: the images must be {} (height, width, channels), they are {}", images_path, data.image,
         Shape{height, width, 1});
  if (labels.shape[0] != n)
    fail(Fault::bad_file, "{}: {} labels for the {} images of {}", labels_path, labels.shape[0], n, images_path);
  for (int64_t i = 0; i < n; ++i) {
    if (labels.values[i] >= data.classes)
      fail(Fault::bad_file, "{}: labels must be below {}, label {} is {}", labels_path, data.classes, i, labels.values[i]);
  }
  data.labels.assign(labels.values.begin(), labels.values.end());
  data.pixels = std::move(images.values);
  if (!transposed) return;
  std::vector<uint8_t> stored(data.image.size());
  for (int64_t i = 0; i < n; ++i) {
    uint8_t* image = data.pixels.data() + i * data.image.size();
    std::copy_n(image, stored.size(), stored.begin());
    for (int64_t y = 0; y < height; ++y) {
      for (int64_t x = 0; x < width; ++x) image[y * width + x] = stored[x * height + y];
    }
  }
}

}  // namespace evenkeel
