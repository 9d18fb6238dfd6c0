#include "data/catalogue/sha256.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

namespace evenkeel {
namespace {

// The first 32 bits of the fractions of the cube roots of the first 64 primes, in integers: floor(2^32 cbrt(p)) is the
// largest r with r^3 <= 2^96 p, found bit by bit.
constexpr std::array<uint32_t, 64> cube_roots() {
  __extension__ using wide = unsigned __int128;
  std::array<uint32_t, 64> roots{};
  int prime = 1;
  for (uint32_t& root : roots) {
    bool composite = true;
    while (composite) {
      ++prime;
      composite = false;
      for (int d = 2; d * d <= prime; ++d) composite = composite || prime % d == 0;
    }
    wide r = 0;
    for (int bit = 34; bit >= 0; --bit) {
      const wide next = r | static_cast<wide>(1) << bit;
      if (next * next * next <= static_cast<wide>(prime) << 96) r = next;
    }
    root = static_cast<uint32_t>(r);
  }
  return roots;
}
constexpr std::array<uint32_t, 64> round_constants = cube_roots();

uint32_t big_endian(const uint8_t* b) {
  return uint32_t{b[0]} << 24 | uint32_t{b[1]} << 16 | uint32_t{b[2]} << 8 | b[3];
}

}  // namespace

void Sha256::block(const uint8_t* bytes) {
  std::array<uint32_t, 64> w;
  for (int i = 0; i < 16; ++i) w[i] = big_endian(bytes + 4 * i);
  for (int i = 16; i < 64; ++i) {
    const uint32_t a = w[i - 15], b = w[i - 2];
    w[i] = w[i - 16] + (std::rotr(a, 7) ^ std::rotr(a, 18) ^ a >> 3) + w[i - 7] +
           (std::rotr(b, 17) ^ std::rotr(b, 19) ^ b >> 10);
  }
  auto [a, b, c, d, e, f, g, h] = state_;
  for (int i = 0; i < 64; ++i) {
    const uint32_t t =
        h + (std::rotr(e, 6) ^ std::rotr(e, 11) ^ std::rotr(e, 25)) + ((e & f) ^ (~e & g)) + round_constants[i] + w[i];
    const uint32_t u = (std::rotr(a, 2) ^ std::rotr(a, 13) ^ std::rotr(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
    h = g, g = f, f = e, e = d + t, d = c, c = b, b = a, a = t + u;
  }
  const std::array<uint32_t, 8> sum{a, b, c, d, e, f, g, h};
  for (int i = 0; i < 8; ++i) state_[i] += sum[i];
}

void Sha256::add(std::string_view bytes) {
  length_ += bytes.size();
  if (!pending_.empty()) {
    const size_t n = std::min(bytes.size(), 64 - pending_.size());
    pending_ += bytes.substr(0, n);
    bytes.remove_prefix(n);
    if (pending_.size() < 64) return;
    block(reinterpret_cast<const uint8_t*>(pending_.data()));
  }
  for (; bytes.size() >= 64; bytes.remove_prefix(64)) block(reinterpret_cast<const uint8_t*>(bytes.data()));
  pending_ = bytes;
}

std::string Sha256::hex() {
  const uint64_t bits = length_ * 8;
  std::string end = "\x80";
  end.resize(1 + (119 - length_ % 64) % 64, '\0');  // to 8 bytes before the end of a block
  for (int i = 7; i >= 0; --i) end += static_cast<char>(bits >> 8 * i);
  add(end);
  std::string digits;
  for (const uint32_t word : state_) digits += fmt::format("{:08x}", word);
  return digits;
}

}  // namespace evenkeel
