// Random numbers: one small counter-based generator, seeded and passed explicitly, the same streams on every platform.
#pragma once
#include <cstdint>
#include <string_view>
#include <vector>

namespace evenkeel {

// SplitMix64 (Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators"): number n of a stream is
// mix(key + n * 0x9e3779b97f4a7c15). The state is the two words key and counter, so a stream can be saved, resumed, and
// started at any position.
class Random {
 public:
  explicit Random(uint64_t seed = 0) : key_(mix(seed + golden)) {}
  Random(uint64_t key, uint64_t counter) : key_(key), counter_(counter) {}  // from key() and counter()

  uint64_t bits() { return mix(key_ + ++counter_ * golden); }
  double uniform() { return static_cast<double>(bits() >> 11) * 0x1p-53; }            // [0, 1)
  double uniform(double low, double high) { return low + (high - low) * uniform(); }  // [low, high)
  uint64_t below(uint64_t n);  // 0 .. n-1, each equally likely; n >= 1
  double normal();             // N(0, 1), by Marsaglia's polar method
  std::vector<int64_t> permutation(int64_t n);

  // An independent stream that depends on (key, name) only, not on the numbers drawn so far. Its key is a hash of both.
  // They are mixed by different functions, so exchanging them gives another stream and equal ones do not cancel.
  Random split(uint64_t name) const { return Random(mix(mix(key_ ^ fork) + mix(name + golden)), 0); }
  // The stream of a purpose, named by a word; its number is the word's FNV-1a hash.
  Random split(std::string_view purpose) const {
    uint64_t name = 0xcbf29ce484222325;
    for (char c : purpose) name = (name ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    return split(name);
  }

  uint64_t key() const { return key_; }
  uint64_t counter() const { return counter_; }

 private:
  static constexpr uint64_t golden = 0x9e3779b97f4a7c15;
  static constexpr uint64_t fork = 0x6a09e667f3bcc909;  // the fraction of sqrt(2); only split() uses it
  static uint64_t mix(uint64_t z) {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  uint64_t key_;
  uint64_t counter_ = 0;
};

}  // namespace evenkeel
