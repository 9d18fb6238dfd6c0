// Small data files made by tests: IDX contents, gzip, and the reason a file was refused for.
#pragma once
#include <zlib.h>

#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "core/base/check.h"

// Compressed by zlib; window_bits: 31 a gzip, -15 bare deflate data.
inline std::string deflated(const std::string& bytes, int window_bits = 31) {
  z_stream stream{};
  deflateInit2(&stream, 9, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&stream, bytes.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

// A safetensors file of this header, without what follows it.
inline std::string with_length(const std::string& header) {
  std::string file;
  for (int i = 0; i < 8; ++i) file += static_cast<char>(static_cast<uint64_t>(header.size()) >> (8 * i) & 0xff);
  return file + header;
}

inline std::string big_endian(uint32_t value) {
  return {static_cast<char>(value >> 24), static_cast<char>(value >> 16), static_cast<char>(value >> 8),
          static_cast<char>(value)};
}

inline std::string little_endian(uint32_t value, int count) {
  std::string bytes;
  for (int i = 0; i < count; ++i) bytes += static_cast<char>(uint64_t{value} >> 8 * i);
  return bytes;
}

// A NumPy file of values in their bytes.
inline std::string npy(const std::string& type, const std::string& shape, const std::string& values, int version = 1,
                       const char* order = "False") {
  std::string header = "{'descr': '" + type + "', 'fortran_order': " + order + ", 'shape': (" + shape + "), }";
  header.resize((header.size() + 12 + 64) / 64 * 64 - 13, ' ');
  header += '\n';
  return std::string("\x93NUMPY") + static_cast<char>(version) + '\0' +
         little_endian(static_cast<uint32_t>(header.size()), version == 1 ? 2 : 4) + header + values;
}

// An IDX file of unsigned bytes. The values are repeated as often as needed.
inline std::string idx(const std::vector<uint32_t>& extents, const std::vector<uint8_t>& values) {
  std::string bytes = big_endian(0x800 + static_cast<uint32_t>(extents.size()));
  size_t size = 1;
  for (const uint32_t e : extents) bytes += big_endian(e), size *= e;
  for (size_t i = 0; i < size; ++i) bytes += static_cast<char>(values[i % values.size()]);
  return bytes;
}

inline void save(const std::string& path, const std::string& bytes) { std::ofstream(path, std::ios::binary) << bytes; }

// The message of the Error that f throws, if its fault is this one; nothing otherwise.
template <class F>
std::string error_of(evenkeel::Fault fault, F&& f) {
  try {
    f();
  } catch (const evenkeel::Error& error) {
    if (error.fault == fault) return error.what();
  }
  return "";
}
template <class F>
std::string refusal(F&& f) {
  return error_of(evenkeel::Fault::bad_file, f);
}

// Sets an environment variable during its lifetime.
class Variable {
 public:
  Variable(const char* name, const std::string& value)
      : name_(name), had_(std::getenv(name) != nullptr), old_(had_ ? std::getenv(name) : "") {
    setenv(name, value.c_str(), 1);
  }
  ~Variable() { had_ ? setenv(name_, old_.c_str(), 1) : unsetenv(name_); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* name_;
  bool had_;
  std::string old_;
};
