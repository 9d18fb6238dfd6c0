// Reads a file's bytes in order, with every length checked, and unzips gzip files.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "../../core/io/file.h"

namespace evenkeel {

enum class Packing { none, gzip, deflate };

// Random access to bytes in memory or in an open file, which must outlive this object. Reads only the requested bytes.
class Stored {
 public:
  Stored(std::string_view bytes) : bytes_(bytes), size_(bytes.size()) {}
  Stored(const InputFile& file) : file_(&file), size_(file.size) {}
  uint64_t size() const { return size_; }
  size_t read(uint64_t at, void* out, size_t count) const;  // fewer than `count` at the end

 private:
  std::string_view bytes_;
  const InputFile* file_ = nullptr;
  uint64_t size_;
};

// For bytes that are not in the `wanted` format: Error(Fault::bad_file) that names their format, if it is known.
void refuse_foreign(const std::string& name, const Stored& stored, const char* wanted);

// Throws Error(Fault::bad_file), starting with the file's name, if the data is invalid.
class ByteReader {
 public:
  // The name is for messages.
  ByteReader(const std::string& name, Stored bytes, Packing packing);
  ByteReader(const std::string& name, Stored bytes);  // gzip if they start like one
  ByteReader(const std::string& name, std::string_view bytes) : ByteReader(name, Stored(bytes)) {}
  ByteReader(const std::string& name, std::string_view bytes, Packing packing)
      : ByteReader(name, Stored(bytes), packing) {}
  ~ByteReader();

  void read(void* out, size_t count);
  uint32_t read_big_endian();

  // Checks, before the caller allocates, that exactly `count` bytes can follow: a plain file's rest has that length; a
  // gzip states the length of its last member, and grows by a factor of at most 1032. Not for raw deflate data.
  void expect(uint64_t count);
  void finish();  // nothing may follow; a gzip's checksum must be right

 private:
  struct Unzip;
  const std::string name_;
  const Stored stored_;
  std::unique_ptr<Unzip> unzip_;
  uint64_t taken_ = 0;
};

}  // namespace evenkeel
