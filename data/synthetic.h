// Drawn images of ten kinds of shapes; no file is needed.
#pragma once
#include "dataset.h"

namespace evenkeel {

// Fills data.pixels and data.labels with `count` images of data.image, one of each of the ten classes in turn. A shape
// (disc, ring, cross, triangle, square, bar, two bars, star, arc, two dots) has a random position, size, proportion,
// direction, thickness and tint, is brighter or darker than the background, and has noise. No linear function of the
// pixels separates the classes; a small convolutional network does. Image i depends only on (random, i), and is the
// same on every platform.
void draw_shapes(Dataset& data, int64_t count, const Random& random);

}  // namespace evenkeel
