// A picture in another size and number of channels.
#include <algorithm>

#include "data/formats/image.h"

namespace evenkeel {
namespace {

Picture in_channels(Picture picture, int64_t channels) {
  if (picture.channels == channels) return picture;
  const int64_t count = picture.height * picture.width;
  Picture out{.height = picture.height, .width = picture.width, .channels = channels};
  out.pixels.resize(static_cast<size_t>(count * channels));
  const uint8_t* in = picture.pixels.data();
  for (int64_t i = 0; i < count; ++i) {
    if (channels == 1)  // the weights add up to 2^16
      out.pixels[i] =
          static_cast<uint8_t>((19595u * in[3 * i] + 38470u * in[3 * i + 1] + 7471u * in[3 * i + 2] + 0x8000u) >> 16);
    else
      std::fill_n(out.pixels.data() + 3 * i, 3, in[i]);
  }
  return out;
}

}  // namespace

// Let u = height / wanted height if the picture is too wide, else width / wanted width: each new pixel covers u x u old
// ones. In units of 1/(2 * u's denominator) all edges are integers, and so are weights and sums.
Picture fit_picture(Picture picture, int64_t height, int64_t width, int64_t channels) {
  picture = in_channels(std::move(picture), channels);
  const int64_t h = picture.height, w = picture.width;
  if (h == height && w == width) return picture;
  const bool wide = w * height >= h * width;
  const int64_t over = wide ? h : w, under = wide ? height : width;
  const int64_t step = 2 * over, pixel = 2 * under;
  const int64_t top = h * under - height * over, left = w * under - width * over;  // the cut parts: half of each rest
  Picture out{.height = height, .width = width, .channels = channels};
  out.pixels.reserve(static_cast<size_t>(height * width * channels));
  std::vector<uint64_t> column(static_cast<size_t>(w * channels)), sum(static_cast<size_t>(channels));
  // Calls f(i, weight) for the old pixels i that new pixel j of an axis covers.
  const auto covered = [&](int64_t start, int64_t j, int64_t count, auto f) {
    const int64_t begin = start + j * step, end = begin + step;
    for (int64_t i = begin / pixel; i < count && i * pixel < end; ++i)
      f(i, static_cast<uint64_t>(std::min(end, (i + 1) * pixel) - std::max(begin, i * pixel)));
  };
  const uint64_t area = static_cast<uint64_t>(step) * static_cast<uint64_t>(step);
  for (int64_t y = 0; y < height; ++y) {
    std::fill(column.begin(), column.end(), 0);
    covered(top, y, h, [&](int64_t i, uint64_t weight) {
      const uint8_t* row = picture.pixels.data() + i * w * channels;
      for (size_t k = 0; k < column.size(); ++k) column[k] += weight * row[k];
    });
    for (int64_t x = 0; x < width; ++x) {
      std::fill(sum.begin(), sum.end(), 0);
      covered(left, x, w, [&](int64_t i, uint64_t weight) {
        for (int64_t c = 0; c < channels; ++c) sum[c] += weight * column[i * channels + c];
      });
      for (const uint64_t s : sum) out.pixels.push_back(static_cast<uint8_t>((s + area / 2) / area));
    }
  }
  return out;
}

}  // namespace evenkeel
