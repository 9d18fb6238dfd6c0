// The bytes of a file, taken from the front with every length checked; unzipped on the way where the file is a gzip.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "../../core/base/file.h"

namespace evenkeel {

enum class Packing { none, gzip, deflate };

// Bytes at any place, of memory or of an open file, which must outlive them: only what is asked for is read.
class Stored {
 public:
  Stored(std::string_view bytes) : bytes_(bytes), size_(bytes.size()) {}
  Stored(const InputFile& file) : file_(&file), size_(file.size) {}
  uint64_t size() const { return size_; }
  size_t read(uint64_t at, void* out, size_t count) const;  // fewer than `count` where they end

 private:
  std::string_view bytes_;
  const InputFile* file_ = nullptr;
  uint64_t size_;
};

// Where the bytes, which are not `wanted`, are of another program's format: Error(Fault::bad_file) that names it.
void refuse_foreign(const std::string& name, const Stored& stored, const char* wanted);

// Throws Error(Fault::bad_file), beginning with the file's name, for whatever is not as it must be.
class ByteReader {
 public:
  // The name is for messages.
  ByteReader(const std::string& name, Stored bytes, Packing packing);
  ByteReader(const std::string& name, Stored bytes);  // a gzip, if they begin as one does
  ByteReader(const std::string& name, std::string_view bytes) : ByteReader(name, Stored(bytes)) {}
  ByteReader(const std::string& name, std::string_view bytes, Packing packing)
      : ByteReader(name, Stored(bytes), packing) {}
  ~ByteReader();

  void read(void* out, size_t count);
  uint32_t read_big_endian();

  // Says that exactly `count` bytes follow. Refused at once, before anybody allocates, where they cannot: the rest of a
  // plain file is as long as it is, and a gzip says its length (its last member's) and grows by a factor of 1032 at
  // most. Not for bare deflate data.
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
