// Fuzz target: PNG and JPEG, decoded and brought to another size.
#include "data/formats/image.h"

#include <cstddef>

#include "core/base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  try {
    const evenkeel::Picture header = evenkeel::picture_header("fuzz", bytes);
    if (header.height * header.width > 1 << 20) return 0;  // larger ones only cost time
    evenkeel::fit_picture(evenkeel::decode_picture("fuzz", bytes), 5, 7, size % 2 ? 1 : 3);
  } catch (const evenkeel::Error& error) {
    if (error.fault != evenkeel::Fault::bad_file) throw;
  }
  return 0;
}
