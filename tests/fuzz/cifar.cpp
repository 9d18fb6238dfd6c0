// Fuzz target: CIFAR's records. The first byte says how many, and how many labels each has.
#include "data/formats/cifar.h"

#include <cstddef>

#include "core/base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  evenkeel::Dataset set{.name = "fuzz", .image = {2, 2, 3}, .classes = 10};
  try {
    parse_cifar(set, "fuzz", {reinterpret_cast<const char*>(data) + 1, size - 1}, data[0] >> 1, 1 + (data[0] & 1));
  } catch (const evenkeel::Error& error) {
    if (error.fault != evenkeel::Fault::bad_file) throw;
  }
  return 0;
}
