// Images that need no file: ten kinds of shapes, drawn by a small program.
#pragma once
#include "dataset.h"

namespace evenkeel {

// Fills data.pixels and data.labels with `count` images of data.image, one of each of the ten classes in turn. A shape
// (disc, ring, cross, triangle, square, bar, two bars, star, arc, two dots) stands anywhere, in any size, proportion,
// direction and thickness, brighter or darker than its ground, tinted, under noise: no linear function of the pixels
// tells them apart, a small convolutional network does. Image i depends on (random, i) alone and is the same on every
// platform.
void draw_shapes(Dataset& data, int64_t count, const Random& random);

}  // namespace evenkeel
