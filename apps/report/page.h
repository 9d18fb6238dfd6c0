// An evaluation as one self-contained HTML page, light or dark like the reader's system.
#pragma once
#include <string>

#include "apps/report/evaluation.h"
#include "data/dataset.h"

namespace evenkeel {

struct PageFacts {
  std::string network;  // its file
  std::string about;    // one line on it
  std::string data;     // the images' set and part
  double loss = 0;      // mean cross-entropy
};

constexpr size_t most_mistakes = 20;  // shown, with their pictures

// `images`: one for each answer, in the same order, of 1 or 3 channels.
std::string evaluation_page(const Evaluation& e, const Dataset& images, const PageFacts& facts);

}  // namespace evenkeel
