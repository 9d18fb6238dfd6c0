// Fuzz target: model specs. What is accepted is small here, so that time goes into the text and not into arithmetic.
#include <cstddef>

#include "layers/spec.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  // Numbers of more than two digits would mean large networks; they are tested elsewhere.
  int digits = 0;
  for (char c : text) {
    digits = c >= '0' && c <= '9' ? digits + 1 : 0;
    if (digits > 2) return 0;
  }
  if (text.find('*') != text.rfind('*')) return 0;
  try {
    evenkeel::make_model({.model = text, .norm = "batch", .input = {4, 4, 1}, .classes = 3});
  } catch (const evenkeel::Error& error) {
    if (error.fault != evenkeel::Fault::usage) throw;
  }
  return 0;
}
