#include "data/dataset.h"

#include <zlib.h>

#include <algorithm>
#include <cmath>

#include "core/base/check.h"

namespace evenkeel {

uint32_t checksum(const Dataset& data, uint32_t before) {
  const uLong pixels = crc32_z(before, data.pixels.data(), data.pixels.size());
  return static_cast<uint32_t>(
      crc32_z(pixels, reinterpret_cast<const Bytef*>(data.labels.data()), data.labels.size() * sizeof data.labels[0]));
}

Dataset take(const Dataset& data, const std::vector<int64_t>& indices) {
  Dataset part{.name = data.name,
               .image = data.image,
               .classes = data.classes,
               .flips = data.flips,
               .class_names = data.class_names};
  const int64_t size = data.image.size();
  part.pixels.resize(indices.size() * static_cast<size_t>(size));
  auto out = part.pixels.begin();
  for (const int64_t i : indices) {
    check(i >= 0 && i < data.size(), "take: indices must be below {}, got {}", data.size(), i);
    part.labels.push_back(data.labels[i]);
    if (!data.sources.empty()) part.sources.push_back(data.sources[i]);
    out = std::copy_n(data.pixels.begin() + i * size, size, out);
  }
  return part;
}

Dataset draw_in_proportion(const Dataset& data, int64_t count, Random& random) {
  check(count > 0 && count <= data.size(), "draw: must take 1 to {} examples, got {}", data.size(), count);
  std::vector<double> size(static_cast<size_t>(data.classes)), seen(size);
  for (const int32_t label : data.labels) ++size[label];
  // Spreads each class's examples, in random order, evenly over 0 .. 1: below any level, classes are in proportion.
  std::vector<int64_t> order = random.permutation(data.size());
  std::vector<double> place(order.size());
  for (const int64_t i : order) place[i] = (seen[data.labels[i]]++ + 0.5) / size[data.labels[i]];
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return place[a] < place[b]; });
  order.resize(count);
  std::sort(order.begin(), order.end());
  return take(data, order);
}

Dataset joined(Dataset first, const Dataset& second) {
  check(first.image == second.image && first.classes == second.classes &&
            (first.sources.empty() == second.sources.empty() || first.size() == 0 || second.size() == 0),
        "joined: both sets must have the same image shape and classes, got {} with {} classes and {} with {}",
        first.image, first.classes, second.image, second.classes);
  first.pixels.insert(first.pixels.end(), second.pixels.begin(), second.pixels.end());
  first.labels.insert(first.labels.end(), second.labels.begin(), second.labels.end());
  first.sources.insert(first.sources.end(), second.sources.begin(), second.sources.end());
  return first;
}

std::vector<bool> drawn_of_classes(const Labels& labels, const std::vector<std::string>& class_names, double part,
                                   uint64_t seed) {
  std::vector<std::vector<size_t>> members(class_names.size());
  for (size_t i = 0; i < labels.size(); ++i) members.at(static_cast<size_t>(labels[i])).push_back(i);
  std::vector<bool> drawn(labels.size());
  for (size_t c = 0; c < members.size(); ++c) {
    const auto n = static_cast<int64_t>(members[c].size());
    if (n < 2) continue;
    const int64_t count = std::clamp<int64_t>(std::llround(part * static_cast<double>(n)), 1, n - 1);
    const std::vector<int64_t> order = Random(seed).split("holdout").split(class_names[c]).permutation(n);
    for (int64_t i = n - count; i < n; ++i) drawn[members[c][static_cast<size_t>(order[i])]] = true;
  }
  return drawn;
}

std::pair<Dataset, Dataset> hold_out(const Dataset& train, int64_t count, Random& random) {
  check(count > 0 && count < train.size(), "hold_out: must leave at least one of the {} examples and take one, got {}",
        train.size(), count);
  std::vector<int64_t> order = random.permutation(train.size());
  std::vector<int64_t> held(order.end() - count, order.end());
  order.resize(order.size() - count);
  std::sort(order.begin(), order.end());
  std::sort(held.begin(), held.end());
  return {take(train, order), take(train, held)};
}

}  // namespace evenkeel
