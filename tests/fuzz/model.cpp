// Fuzz target: model specs. What is accepted is small here, so that time goes into the text and not into arithmetic.
#include <cstddef>

#include "core/base/parallel.h"
#include "layers/model/spec.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const evenkeel::Vocabulary words = evenkeel::standard_vocabulary();
  evenkeel::set_threads(1);
  const std::string text(reinterpret_cast<const char*>(data), size);
  try {
    evenkeel::make_model({.model = text,
                          .norm = "batch",
                          .input = {4, 4, 1},
                          .classes = 3,
                          .limits = {.layers = 50, .weights = 1000, .values = 1000}},
                         words);
  } catch (const evenkeel::Error& error) {
    if (error.fault != evenkeel::Fault::usage) throw;
  }
  return 0;
}
