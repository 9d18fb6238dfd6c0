#include "data/formats/idx.h"

#include <map>

#include "core/io/file.h"
#include "data/formats/bytes.h"

namespace evenkeel {
namespace {

// The magic number is two zeros, the type of the values, and the number of axes.
[[noreturn]] void refuse_magic(const std::string& name, const Stored& stored, uint32_t magic, uint32_t wanted) {
  static const std::map<uint32_t, const char*> types = {{0x9, "signed bytes"},
                                                        {0xb, "16-bit integers"},
                                                        {0xc, "32-bit integers"},
                                                        {0xd, "floats"},
                                                        {0xe, "double-size floats"}};
  if (const auto type = types.find(magic >> 8); type != types.end())
    fail(Fault::bad_file, "{}: it is an IDX file of {}; pixels and labels must be unsigned bytes, 0 to 255", name,
         type->second);
  if (magic >> 8 == wanted >> 8)
    fail(Fault::bad_file, "{}: it is an IDX file of {} axes, one of {} is needed (labels have 1, images 3)", name,
         magic & 0xff, wanted & 0xff);
  refuse_foreign(name, stored, "an IDX file");
  fail(Fault::bad_file, "{}: the magic number must be {:#010x}, it is {:#010x}", name, wanted, magic);
}

// A file of which only the header has been read.
struct OpenIdx {
  OpenIdx(const std::string& name, const Stored& stored, int rank);
  Pixels values();

  ByteReader reader;
  Shape shape;
};

OpenIdx::OpenIdx(const std::string& name, const Stored& stored, int rank) : reader(name, stored) {
  const uint32_t magic = reader.read_big_endian(), wanted = 0x800u + static_cast<uint32_t>(rank);  // 8: unsigned bytes
  if (magic != wanted) refuse_magic(name, stored, magic, wanted);
  uint64_t size = 1;
  for (int axis = 0; axis < rank; ++axis) {
    const uint32_t extent = reader.read_big_endian();
    if (extent == 0) fail(Fault::bad_file, "{}: its header says that axis {} is empty", name, axis);
    if (__builtin_mul_overflow(size, extent, &size) || size > static_cast<uint64_t>(Shape::max_size))
      fail(Fault::bad_file, "{}: its header promises more than 2^58 bytes", name);
    shape.push_back(extent);
  }
  reader.expect(size);
}

Pixels OpenIdx::values() {
  Pixels values(static_cast<size_t>(shape.size()));
  reader.read(values.data(), values.size());
  reader.finish();
  return values;
}

}  // namespace

IdxArray parse_idx(const std::string& name, std::string_view bytes, int rank) {
  OpenIdx idx(name, bytes, rank);
  return {idx.shape, idx.values()};
}

IdxArray read_idx(const std::string& path, int rank) {
  const InputFile file = open_input(path);
  OpenIdx idx(path, file, rank);
  return {idx.shape, idx.values()};
}

void read_idx_pair(Dataset& data, const std::string& images_path, const std::string& labels_path, bool transposed,
                   int64_t first_label) {
  const InputFile images_file = open_input(images_path), labels_file = open_input(labels_path);
  OpenIdx images(images_path, images_file, 3), labels(labels_path, labels_file, 1);
  const int64_t n = images.shape[0], height = images.shape[1], width = images.shape[2];
  if (data.image.rank() == 0) data.image = {height, width, 1};
  if (Shape{height, width, 1} != data.image)
    fail(Fault::bad_file, "{}: the images must be {} (height, width, channels), they are {}", images_path, data.image,
         Shape{height, width, 1});
  if (labels.shape[0] != n)
    fail(Fault::bad_file, "{}: {} labels for the {} images of {}", labels_path, labels.shape[0], n, images_path);
  const Pixels values = labels.values();
  for (int64_t i = 0; i < n; ++i) {
    const int64_t label = values[i];
    if (label < first_label)
      fail(Fault::bad_file, "{}: labels must be {} or more, label {} is {}", labels_path, first_label, i, label);
    if (data.classes > 0 && label >= first_label + data.classes)
      fail(Fault::bad_file, "{}: labels must be below {}, label {} is {}", labels_path, first_label + data.classes, i,
           label);
    data.labels.push_back(static_cast<int32_t>(label - first_label));
  }
  data.pixels = images.values();
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
