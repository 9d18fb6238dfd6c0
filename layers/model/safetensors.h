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

  const StoredTensor* find(const std::string& name) const;  // null where there is none
};

// The metadata also gets a CRC-32 of all tensors' bytes and of the rest of the metadata, which reading verifies where
// it is there.
std::string format_safetensors(const SafeTensors& contents);
void write_safetensors(const std::string& path, const SafeTensors& contents);
// Strict: refuses, with Fault::bad_file and the reason, what is truncated, oversized, overlapping, unknown or changed.
// For a file of n bytes that takes O(n log n) time and O(n) memory; the data are in memory once.
SafeTensors read_safetensors(const std::string& path);
SafeTensors parse_safetensors(const std::string& bytes, const std::string& name);  // name: for messages
// For many look-ups; it points into `contents`.
std::unordered_map<std::string_view, const StoredTensor*> by_name(const SafeTensors& contents);

}  // namespace evenkeel
