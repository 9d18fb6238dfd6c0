// SHA-256 (FIPS 180-4), to verify downloaded files.
#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace evenkeel {

class Sha256 {
 public:
  void add(std::string_view bytes);
  std::string hex();  // the digest in 64 digits; call it once, at the end

 private:
  void block(const uint8_t* bytes);
  std::array<uint32_t, 8> state_{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  std::string pending_;  // less than a block of 64 bytes
  uint64_t length_ = 0;
};

}  // namespace evenkeel
