// The safetensors format: named arrays and text metadata in one file, which holds nothing that can be executed.
// Layout: 8 bytes little-endian header length, a JSON header, the arrays' bytes.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace evenkeel {

struct StoredTensor {
  std::string name;
  std::string dtype;  // "F32", "F64", "I64"
  std::vector<int64_t> shape;
  std::string bytes;  // little-endian, row-major
};

struct SafeTensors {
  std::map<std::string, std::string> metadata;
  std::vector<StoredTensor> tensors;

  const StoredTensor* find(const std::string& name) const;  // null if there is none
};

// Adds to the metadata a CRC-32 of the header, with zeros in its own place, and of the tensors' bytes. Reading verifies
// it if it is present.
std::string format_safetensors(const SafeTensors& contents);
void write_safetensors(const std::string& path, const SafeTensors& contents);
// Error(Fault::bad_file), with the reason, if the file is truncated, too long, changed, or has overlapping data or an
// unknown type. O(n log n) time and O(n) memory for n bytes; one copy of the data.
SafeTensors read_safetensors(const std::string& path);
SafeTensors parse_safetensors(const std::string& bytes, const std::string& name);  // name: for messages
// An index for many look-ups; it points into `contents`.
std::unordered_map<std::string_view, const StoredTensor*> by_name(const SafeTensors& contents);

}  // namespace evenkeel
