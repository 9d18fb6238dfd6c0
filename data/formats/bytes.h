// The bytes of a file, taken from the front with every length checked; unzipped on the way where the file is a gzip.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace evenkeel {

enum class Packing { none, gzip, deflate };
Packing packing_of(std::string_view bytes);  // gzip, if they begin as one does

// Throws Error(Fault::bad_file), beginning with the file's name, for whatever is not as it must be.
class ByteReader {
 public:
  // The bytes must outlive the reader; the name is for messages.
  ByteReader(const std::string& name, std::string_view bytes, Packing packing);
  ByteReader(const std::string& name, std::string_view bytes) : ByteReader(name, bytes, packing_of(bytes)) {}
  ~ByteReader();

  void read(void* out, size_t count);
  uint32_t read_big_endian();

  // Says that exactly `count` bytes follow. Refused at once, before anybody allocates, where they cannot: the rest of a plain file
  // is as long as it is, and a gzip says its length (its last member's) and grows by a factor of 1032 at most. Not for bare deflate data.
  void expect(uint64_t count);
  void finish();  // nothing may follow; a gzip's checksum must be right

 private:
  struct Unzip;
  const std::string name_;
  std::string_view rest_;  // as stored
  std::unique_ptr<Unzip> unzip_;
  uint64_t taken_ = 0;
};

}  // namespace evenkeel
