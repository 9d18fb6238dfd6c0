// Built without fused multiply-add (see CMakeLists.txt), and uses only sqrt of libm, so every platform draws the same
// bits.
#include "data/synthetic.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/base/parallel.h"

namespace evenkeel {
namespace {

struct Point {
  float x, y;
};
// Every shape consists of strokes: the points within `radius` of a segment (a dot if both ends are equal).
struct Stroke {
  Point a, b;
  float radius;  // added to the pen's
};

// The corners of a regular dodecagon; other figures use some of them.
constexpr float half = 0.5f, high = 0.8660254f;
constexpr std::array<Point, 12> corner{{{1, 0},
                                        {high, half},
                                        {half, high},
                                        {0, 1},
                                        {-half, high},
                                        {-high, half},
                                        {-1, 0},
                                        {-high, -half},
                                        {-half, -high},
                                        {0, -1},
                                        {half, -high},
                                        {high, -half}}};

// Joins every step-th corner, with `sides` sides.
std::vector<Stroke> polygon(int step, int sides) {
  std::vector<Stroke> strokes;
  for (int i = 0; i < sides; ++i) strokes.push_back({corner[i * step % 12], corner[(i + 1) * step % 12], 0});
  return strokes;
}

std::array<std::vector<Stroke>, 10> figures() {
  const Point centre{0, 0};
  return {{{{centre, centre, 0.8f}},
           polygon(1, 12),
           {{corner[0], corner[6], 0}, {corner[3], corner[9], 0}},
           polygon(4, 3),
           polygon(3, 4),
           {{corner[0], corner[6], 0}},
           {{corner[1], corner[5], 0}, {corner[11], corner[7], 0}},
           {{centre, corner[0], 0}, {centre, corner[4], 0}, {centre, corner[8], 0}},
           polygon(1, 7),
           {{corner[0], corner[0], 0.25f}, {corner[6], corner[6], 0.25f}}}};
}

Point direction(Random& random) {  // uniform on the unit circle
  for (;;) {
    const double x = random.uniform(-1, 1), y = random.uniform(-1, 1), length = std::sqrt(x * x + y * y);
    if (length <= 1 && length > 0.1) return {static_cast<float>(x / length), static_cast<float>(y / length)};
  }
}

void draw(const std::vector<Stroke>& figure, const Shape& image, Random random, uint8_t* pixels) {
  const int64_t height = image[0], width = image[1], channels = image[2];
  const auto uniform = [&](double low, double high) { return static_cast<float>(random.uniform(low, high)); };

  const float side = static_cast<float>(std::min(height, width));
  const float size = side * uniform(0.2, 0.36), squeeze = uniform(0.75, 1), pen = side * uniform(0.03, 0.06);
  const float reach = side * 0.14f;
  const Point centre{static_cast<float>(width - 1) / 2 + uniform(-reach, reach),
                     static_cast<float>(height - 1) / 2 + uniform(-reach, reach)};
  const Point turn = direction(random);
  const auto place = [&](Point p) {
    const float x = p.x * size, y = p.y * size * squeeze;
    return Point{centre.x + turn.x * x - turn.y * y, centre.y + turn.y * x + turn.x * y};
  };

  // The fraction of each pixel that is ink, from its distance to the nearest stroke.
  std::vector<float> ink(static_cast<size_t>(height * width), 0);
  for (const Stroke& stroke : figure) {
    const Point a = place(stroke.a), b = place(stroke.b), ab{b.x - a.x, b.y - a.y};
    const float length2 = ab.x * ab.x + ab.y * ab.y, scale = length2 > 0 ? 1 / length2 : 0,
                radius = pen + stroke.radius * size;
    for (int64_t y = 0; y < height; ++y) {
      float* row = ink.data() + y * width;
      const float py = static_cast<float>(y) - a.y;
      for (int32_t x = 0; x < static_cast<int32_t>(width); ++x) {
        const float px = static_cast<float>(x) - a.x;
        const float t = std::clamp((px * ab.x + py * ab.y) * scale, 0.0f, 1.0f);
        const float dx = px - t * ab.x, dy = py - t * ab.y;
        row[x] = std::max(row[x], std::min(1.0f, half + radius - std::sqrt(dx * dx + dy * dy)));
      }
    }
  }

  // Ink and background differ clearly in brightness; each has a tint in colour images.
  float paper, pencil;
  do {
    paper = uniform(20, 235);
    pencil = uniform(20, 235);
  } while (std::abs(pencil - paper) < 70);
  const float tint = channels > 1 ? 60 : 0;
  std::array<float, 4> ground, contrast;
  for (int64_t c = 0; c < channels; ++c) {
    ground[c] = paper + uniform(-tint, tint);
    contrast[c] = pencil + uniform(-tint, tint) - ground[c];
  }
  const float noise = uniform(5, 25) / 147.8f;  // 147.8: standard deviation of the sum of four random bytes
  uint64_t bits = 0;
  for (int64_t i = 0; i < height * width * channels; ++i) {
    bits = i % 2 ? bits >> 32 : random.bits();
    const auto sum = static_cast<int32_t>((bits & 255) + (bits >> 8 & 255) + (bits >> 16 & 255) + (bits >> 24 & 255));
    const float value =
        ground[i % channels] + contrast[i % channels] * ink[i / channels] + noise * static_cast<float>(sum - 510);
    pixels[i] = static_cast<uint8_t>(std::clamp(value + half, 0.0f, 255.0f));
  }
}

}  // namespace

void draw_shapes(Dataset& data, int64_t count, const Random& random) {
  const auto all = figures();
  data.labels.resize(static_cast<size_t>(count));
  data.pixels.resize(static_cast<size_t>(count * data.image.size()));
  parallel_blocks(count, 64, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      data.labels[i] = static_cast<int32_t>(i % 10);
      draw(all[i % 10], data.image, random.split(static_cast<uint64_t>(i)), data.pixels.data() + i * data.image.size());
    }
  });
}

}  // namespace evenkeel
