// Pictures of shapes in a folder for each kind: cross, disc, frame and bar.
#pragma once
#include <cmath>
#include <filesystem>

#include "core/base/random.h"
#include "tests/data_files.h"
#include "tests/pictures.h"

// A shape anywhere in a picture of any size, brighter or darker than its ground, under noise: no pixel by itself tells
// the class.
inline RawPicture shape(const std::string& kind, evenkeel::Random random) {
  const int height = 24 + static_cast<int>(random.below(25)), width = 24 + static_cast<int>(random.below(25)),
            side = std::min(height, width);
  const int channels = random.below(4) ? 1 : 3;
  const double radius = side * random.uniform(0.18, 0.3), low = random.uniform(20, 90),
               high = low + random.uniform(90, 150);
  const double y0 = height / 2.0 + side * random.uniform(-0.17, 0.17),
               x0 = width / 2.0 + side * random.uniform(-0.17, 0.17);
  const bool dark = random.below(2);
  RawPicture p{height, width, channels, {}};
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      const double dy = std::abs(y + 0.5 - y0), dx = std::abs(x + 0.5 - x0), far = std::max(dy, dx);
      const bool inside = kind == "disc"    ? std::hypot(dy, dx) < radius * 0.9
                          : kind == "cross" ? far < radius && std::min(dy, dx) < radius * 0.3
                          : kind == "frame" ? far < radius && far > radius * 0.65
                                            : dx < radius && dy < radius * 0.3;  // bar
      const double value = (inside != dark ? high : low) + random.uniform(-12, 12);
      p.pixels.insert(p.pixels.end(), static_cast<size_t>(channels),
                      static_cast<uint8_t>(std::clamp(value, 0.0, 255.0)));
    }
  }
  return p;
}

inline void save_shapes(const std::string& folder, const std::vector<std::string>& kinds, int each, uint64_t seed) {
  for (const std::string& kind : kinds) {
    std::filesystem::create_directories(folder + "/" + kind + "/more");
    for (int i = 0; i < each; ++i) {
      const RawPicture p = shape(kind, evenkeel::Random(seed).split(kind).split(static_cast<uint64_t>(i)));
      const std::string name = folder + "/" + kind + (i % 5 ? "/" : "/more/") + std::to_string(i);
      i % 2 ? save(name + ".png", png(p)) : save(name + ".JPG", jpeg(p, 90));
    }
  }
}
