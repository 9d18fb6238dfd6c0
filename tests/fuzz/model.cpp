// Fuzz target: model specs. What is accepted is small here, so that time goes into the text and not into arithmetic.
#include <algorithm>
#include <cstddef>

#include "core/parallel.h"
#include "layers/spec.h"

namespace {

// The numbers of the text multiplied: no layer, and no count of layers, can be larger.
int64_t largest_size(const std::string& text) {
  int64_t product = 1, number = 0;
  for (char c : text + " ") {
    const bool digit = c >= '0' && c <= '9';
    if (!digit) product *= std::max<int64_t>(number, 1);
    number = digit ? 10 * number + (c - '0') : 0;
    if (number > 1000 || product > 1000) return 1001;
  }
  return product;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const evenkeel::Vocabulary words = evenkeel::standard_vocabulary();
  static const std::vector<std::string> names = evenkeel::model_names();
  evenkeel::set_threads(1);
  const std::string text(reinterpret_cast<const char*>(data), size);
  // The named models and larger numbers are tested elsewhere.
  if (largest_size(text) > 1000 || std::find(names.begin(), names.end(), text) != names.end()) return 0;
  try {
    evenkeel::make_model({.model = text, .norm = "batch", .input = {4, 4, 1}, .classes = 3}, words);
  } catch (const evenkeel::Error& error) {
    if (error.fault != evenkeel::Fault::usage) throw;
  }
  return 0;
}
