#include "apps/formats/npz.h"

#include <fmt/format.h>
#include <zlib.h>

#include "core/base/check.h"

namespace evenkeel {
namespace {

void append(std::string& out, int bytes, uint64_t value) {  // little-endian
  for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> 8 * i & 0xff);
}

// Version 1.0 of the .npy format: magic, header length, a Python dictionary padded to a multiple of 64, the values.
std::string format_npy(const StoredTensor& t) {
  const char* type = t.dtype == "F32" ? "<f4" : t.dtype == "F64" ? "<f8" : t.dtype == "I64" ? "<i8" : nullptr;
  check(type, "npz: {} is {}; only F32, F64 and I64 can be written", t.name, t.dtype);
  std::string shape;
  for (int64_t d : t.shape) shape += fmt::format("{},", d);
  std::string header = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}), }}", type, shape);
  header.resize((10 + header.size() + 1 + 63) / 64 * 64 - 10 - 1, ' ');
  header += '\n';
  std::string out = std::string("\x93NUMPY\x01\x00", 8);
  append(out, 2, header.size());
  return out + header + t.bytes;
}

}  // namespace

std::string format_npz(const std::vector<StoredTensor>& arrays) {
  std::string archive, directory;
  for (const StoredTensor& t : arrays) {
    const std::string file = format_npy(t), name = t.name + ".npy";
    const size_t offset = archive.size();
    check(offset + file.size() < UINT32_MAX,
          "npz: the file must be smaller than 4 GiB, and these arrays are larger; export to safetensors has no such "
          "limit");
    std::string common;             // the fields common to the local header and the directory
    append(common, 2, 20);          // version of ZIP needed
    append(common, 2, 1 << 11);     // names are UTF-8
    append(common, 2, 0);           // stored
    append(common, 4, 0x00210000);  // 1980-01-01: the same arrays give the same bytes
    append(common, 4, crc32_z(0, reinterpret_cast<const Bytef*>(file.data()), file.size()));
    append(common, 4, file.size());
    append(common, 4, file.size());
    append(common, 2, name.size());
    append(common, 2, 0);
    append(archive, 4, 0x04034b50);
    archive += common + name + file;
    append(directory, 4, 0x02014b50);
    append(directory, 2, 20);
    directory += common;
    append(directory, 2 + 2 + 2, 0);  // comment, disk, internal attributes
    append(directory, 4, 0);          // external attributes
    append(directory, 4, offset);
    directory += name;
  }
  const size_t start = archive.size();
  archive += directory;
  append(archive, 4, 0x06054b50);
  append(archive, 4, 0);
  append(archive, 2, arrays.size());
  append(archive, 2, arrays.size());
  append(archive, 4, directory.size());
  append(archive, 4, start);
  append(archive, 2, 0);
  return archive;
}

}  // namespace evenkeel
