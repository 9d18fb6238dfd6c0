// Fuzz target: safetensors. What is accepted is accepted again once it is written, and is the same then.
#include "layers/model/safetensors.h"

#include <cstddef>
#include <cstdlib>

#include "core/base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const evenkeel::SafeTensors read = evenkeel::parse_safetensors({reinterpret_cast<const char*>(data), size}, "fuzz");
    const std::string written = evenkeel::format_safetensors(read);
    if (evenkeel::format_safetensors(evenkeel::parse_safetensors(written, "written")) != written) std::abort();
  } catch (const evenkeel::Error& error) {
    if (error.fault != evenkeel::Fault::bad_file) throw;
  }
  return 0;
}
