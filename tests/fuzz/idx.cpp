// Fuzz target: IDX files, plain and gzip.
#include "data/formats/idx.h"

#include <cstddef>

#include "core/base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  for (int rank : {1, 3}) {
    try {
      evenkeel::parse_idx("fuzz", {reinterpret_cast<const char*>(data), size}, rank);
    } catch (const evenkeel::Error& error) {
      if (error.fault != evenkeel::Fault::bad_file) throw;
    }
  }
  return 0;
}
