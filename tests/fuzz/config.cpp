// Fuzz target: config.json.
#include "apps/train/config.h"

#include <cstddef>

#include "core/base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    evenkeel::read_config("fuzz", {reinterpret_cast<const char*>(data), size});
  } catch (const evenkeel::Error& error) {
    if (error.fault != evenkeel::Fault::bad_file) throw;
  }
  return 0;
}
