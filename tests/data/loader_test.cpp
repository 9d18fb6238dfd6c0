#include "data/loader.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>
#include <tuple>

#include "core/base/memory.h"
#include "tests/data_files.h"

using namespace evenkeel;

namespace {

// Images of random pixels, example i labelled i % 7.
Dataset noise(int64_t n, const Shape& image, bool flips = false) {
  Dataset data{.name = "noise", .image = image, .classes = 7, .flips = flips};
  Random random(5);
  for (int64_t i = 0; i < n; ++i) data.labels.push_back(static_cast<int32_t>(i % 7));
  for (int64_t i = 0; i < n * image.size(); ++i) data.pixels.push_back(static_cast<uint8_t>(random.below(256)));
  return data;
}

// Pixels as they are.
Normalization none(int64_t channels) {
  const auto n = static_cast<size_t>(channels);
  return {std::vector<float>(n, 0), std::vector<float>(n, 1)};
}

// Example i is the number i, so that batches can be told apart.
Dataset numbers(int64_t n) {
  Dataset data{.name = "numbers", .image = {1, 1, 1}, .classes = 1000};
  for (int64_t i = 0; i < n; ++i) {
    data.labels.push_back(static_cast<int32_t>(i));
    data.pixels.push_back(static_cast<uint8_t>(i));
  }
  return data;
}

struct Seen {
  std::vector<size_t> sizes;
  Labels labels;
  std::vector<real> values;
  bool operator==(const Seen&) const = default;
};
Seen rest(Loader& loader) {
  Seen seen;
  for (Batch batch; loader.next(batch);) {
    CHECK(batch.x.dim(0) == static_cast<int64_t>(batch.labels.size()));
    seen.sizes.push_back(batch.labels.size());
    seen.labels.insert(seen.labels.end(), batch.labels.begin(), batch.labels.end());
    const auto values = batch.x.values();
    seen.values.insert(seen.values.end(), values.begin(), values.end());
  }
  return seen;
}
Seen epoch(Loader& loader, int64_t number) {
  loader.begin_epoch(number);
  return rest(loader);
}

}  // namespace

TEST_CASE("40 seeds by 40 epochs: 1,600 orders and 1,600 ways to augment, no two alike") {
  const Dataset data = numbers(40), images = noise(40, {8, 8, 1});
  std::set<Labels> orders;
  std::set<std::vector<real>> augmented;
  for (uint64_t seed = 0; seed < 40; ++seed) {
    Loader order(data, none(1), {.batch_size = 40, .seed = seed, .background = false});
    Loader moved(images, none(1),
                 {.batch_size = 40, .shuffle = false, .augment = true, .seed = seed, .background = false});
    for (int64_t number = 0; number < 40; ++number) {
      orders.insert(epoch(order, number).labels);
      augmented.insert(epoch(moved, number).values);
    }
  }
  CHECK(orders.size() == 1600);
  CHECK(augmented.size() == 1600);
}

TEST_CASE("an epoch shows every example once with its label, in an order that depends on seed and epoch alone") {
  const Dataset data = numbers(100);
  Loader loader(data, none(1), {.batch_size = 32, .seed = 3}), twin(data, none(1), {.batch_size = 32, .seed = 3});
  Loader other(data, none(1), {.batch_size = 32, .seed = 4});
  const Seen zero = epoch(loader, 0), one = epoch(loader, 1);
  CHECK(zero.sizes == std::vector<size_t>{32, 32, 32, 4});
  CHECK(std::set(zero.labels.begin(), zero.labels.end()).size() == 100);
  for (size_t i = 0; i < 100; ++i) CHECK(zero.values[i] == zero.labels[i]);
  CHECK(one.labels != zero.labels);
  CHECK(epoch(twin, 1) == one);
  CHECK(epoch(twin, 0) == zero);
  CHECK(epoch(other, 0).labels != zero.labels);

  Loader ordered(data, none(1), {.batch_size = 32, .shuffle = false});
  Labels expected(100);
  std::iota(expected.begin(), expected.end(), 0);
  CHECK(epoch(ordered, 7).labels == expected);
}

TEST_CASE("the background thread changes nothing, and a run resumes in the middle of an epoch") {
  const Dataset data = noise(203, {6, 5, 3}, true);
  for (const bool background : {true, false}) {
    LoaderOptions options{.batch_size = 16, .augment = true, .seed = 9, .background = background};
    Loader loader(data, measure(data), options);
    options.background = false;
    Loader reference(data, measure(data), options);
    const Seen whole = epoch(reference, 2);
    CHECK(epoch(loader, 2) == whole);
    for (int64_t first = 0; first <= loader.batches(); ++first) {
      loader.begin_epoch(2, first);
      const Seen tail = rest(loader);
      CHECK(std::equal(tail.values.begin(), tail.values.end(),
                       whole.values.end() - static_cast<int64_t>(tail.values.size())));
      CHECK(static_cast<int64_t>(tail.sizes.size()) == loader.batches() - first);
    }
    CHECK(!error_of(Fault::usage, [&] { loader.begin_epoch(2, loader.batches() + 1); }).empty());

    // An epoch that is left is forgotten.
    Batch batch;
    loader.begin_epoch(5);
    loader.next(batch);
    CHECK(epoch(loader, 2) == whole);
    loader.begin_epoch(5);
  }
}

TEST_CASE("next() without begin_epoch() is an error, before the first epoch and between two") {
  const Dataset data = numbers(4);
  for (const bool background : {true, false}) {
    Loader loader(data, none(1), {.batch_size = 2, .background = background});
    Batch batch;
    const auto refused = [&] {
      CHECK(error_of(Fault::usage, [&] { loader.next(batch); }) ==
            "loader: no epoch has begun; call begin_epoch() before the first next() of each epoch");
    };
    refused();
    for (int64_t e = 0; e < 2; ++e) {
      CHECK(epoch(loader, e).labels.size() == 4);
      refused();
    }
    loader.begin_epoch(2, loader.batches());  // resumed at its end
    CHECK(!loader.next(batch));
    refused();
  }
}

TEST_CASE("a last batch of one example is left out of training, kept for evaluation") {
  const auto sizes = [](int64_t n, const LoaderOptions& options) {
    const Dataset data = numbers(n);
    Loader loader(data, none(1), options);
    const Seen seen = epoch(loader, 0);
    CHECK(static_cast<int64_t>(seen.sizes.size()) == loader.batches());
    return seen.sizes;
  };
  using Sizes = std::vector<size_t>;
  CHECK(sizes(9, {.batch_size = 4}) == Sizes{4, 4});
  CHECK(sizes(9, {.batch_size = 4, .shuffle = false}) == Sizes{4, 4, 1});
  CHECK(sizes(10, {.batch_size = 4}) == Sizes{4, 4, 2});
  CHECK(sizes(10, {.batch_size = 4, .drop_last = true}) == Sizes{4, 4});
  CHECK(sizes(10, {.batch_size = 4, .shuffle = false, .drop_last = true}) == Sizes{4, 4});
  CHECK(sizes(8, {.batch_size = 4, .drop_last = true}) == Sizes{4, 4});
  CHECK(sizes(3, {.batch_size = 1}) == Sizes{1, 1, 1});
  CHECK(sizes(3, {.batch_size = 4}) == Sizes{3});
  // Of a batch in shards each needs two examples.
  CHECK(sizes(21, {.batch_size = 8, .shards = 3, .end_shard = 3}) == Sizes{8, 8});
  CHECK(sizes(22, {.batch_size = 8, .shards = 3, .end_shard = 3}) == Sizes{8, 8, 6});
  CHECK(sizes(23, {.batch_size = 8, .shards = 3, .end_shard = 1}) == Sizes{2, 2, 2});
  CHECK(sizes(23, {.batch_size = 8, .shards = 3, .first_shard = 1, .end_shard = 3}) == Sizes{6, 6, 5});
}

TEST_CASE("loaders of a few shards each prepare together what one loader prepares") {
  const Dataset data = noise(46, {6, 5, 3}, true);
  LoaderOptions options{.batch_size = 16, .augment = true, .seed = 9};
  Loader whole(data, measure(data), options);
  options.shards = 5;
  std::vector<std::unique_ptr<Loader>> parts;
  for (const auto& [first, end] : {std::pair(0, 2), {2, 3}, {3, 5}}) {
    options.first_shard = first;
    options.end_shard = end;
    parts.push_back(std::make_unique<Loader>(data, measure(data), options));
    parts.back()->begin_epoch(3);
  }
  whole.begin_epoch(3);
  for (Batch batch; whole.next(batch);) {
    Labels labels;
    std::vector<real> values;
    for (const auto& loader : parts) {
      Batch part;
      CHECK(loader->next(part));
      CHECK(part.size() == batch.size());
      labels.insert(labels.end(), part.labels.begin(), part.labels.end());
      const auto of_part = part.x.values();
      values.insert(values.end(), of_part.begin(), of_part.end());
    }
    CHECK(labels == batch.labels);
    CHECK(values == batch.x.values());
  }
}

TEST_CASE("normalised by what was measured, each channel has mean 0 and deviation 1") {
  Dataset data = noise(50, {4, 6, 3});
  for (size_t i = 0; i < data.pixels.size(); i += 3)
    data.pixels[i] = static_cast<uint8_t>(200 + data.pixels[i] / 8);  // one channel differs
  const Normalization normalization = measure(data);
  Loader loader(data, normalization, {.batch_size = 50});
  const Seen seen = epoch(loader, 0);
  for (size_t c = 0; c < 3; ++c) {
    double sum = 0, squares = 0, pixels = 0;
    const double n = static_cast<double>(seen.values.size()) / 3;
    for (size_t i = c; i < seen.values.size(); i += 3) {
      sum += seen.values[i];
      squares += seen.values[i] * seen.values[i];
      pixels += data.pixels[i];
    }
    CHECK(normalization.mean[c] == doctest::Approx(pixels / n).epsilon(1e-6));
    CHECK(std::abs(sum / n) < 1e-5);
    CHECK(squares / n == doctest::Approx(1).epsilon(1e-5));
  }
  Dataset constant = numbers(5);
  std::fill(constant.pixels.begin(), constant.pixels.end(), uint8_t{42});
  CHECK(measure(constant).mean == std::vector<float>{42});
  CHECK(measure(constant).deviation == std::vector<float>{1});
}

TEST_CASE("augmentation crops out of a black border and mirrors, nothing else") {
  for (const int64_t channels : {1, 3}) {
    for (const bool flips : {false, true}) {
      const int64_t height = 5, width = 7, padding = 2;
      const Dataset data = noise(300, {height, width, channels}, flips);
      const Normalization normalization = measure(data);
      Loader loader(data, normalization, {.batch_size = 300, .augment = true, .augmentation = {.crop = padding}});
      Loader plain(data, normalization, {.batch_size = 300});
      loader.begin_epoch(1);
      plain.begin_epoch(1);
      Batch moved, still;
      loader.next(moved);
      plain.next(still);
      CHECK(moved.labels == still.labels);
      std::set<std::tuple<int64_t, int64_t, bool>> ways;
      int64_t mirrored = 0;
      for (int64_t i = 0; i < 300; ++i) {
        // The crop at (down, right) of the image with a black border, then mirrored, must be what came for some of the
        // ways.
        bool found = false;
        for (int64_t way = 0; way < 2 * (2 * padding + 1) * (2 * padding + 1); ++way) {
          const bool mirror = way % 2;
          const int64_t down = way / 2 / (2 * padding + 1) - padding, right = way / 2 % (2 * padding + 1) - padding;
          bool same = true;
          for (int64_t j = 0; same && j < data.image.size(); ++j) {
            const int64_t c = j % channels, x = j / channels % width, y = j / channels / width;
            const int64_t from_y = y + down, from_x = (mirror ? width - 1 - x : x) + right;
            const bool inside = from_y >= 0 && from_y < height && from_x >= 0 && from_x < width;
            const real black = (0 - normalization.mean[c]) * (1 / normalization.deviation[c]);
            const real expected =
                inside ? still.x.data()[((i * height + from_y) * width + from_x) * channels + c] : black;
            same = moved.x.data()[i * data.image.size() + j] == expected;
          }
          if (!same) continue;
          found = true;
          mirrored += mirror;
          ways.insert({down, right, mirror});
          break;
        }
        CHECK(found);
      }
      CHECK(ways.size() == (flips ? 50 : 25));
      CHECK((flips ? mirrored > 110 && mirrored < 190 : mirrored == 0));
    }
  }
  // The same data, no mirroring asked for.
  const Dataset data = noise(100, {1, 9, 1}, true);
  Loader loader(data, none(1), {.batch_size = 100, .augment = true, .augmentation = {.crop = 0, .flip = false}}),
      plain(data, none(1), {.batch_size = 100});
  CHECK(epoch(loader, 0) == epoch(plain, 0));
}

TEST_CASE("a crop may move by more than the image is wide") {
  const Dataset data = noise(64, {2, 3, 1}, true);
  Loader loader(data, none(1), {.augment = true, .augmentation = {.crop = 20}});
  const Seen seen = epoch(loader, 0);
  CHECK(std::ranges::count(seen.values, 0) > 64 * 5);
}

TEST_CASE("unless told otherwise a crop moves by up to 4 pixels from 32 pixels on, below by up to 2") {
  for (const int64_t width : {28, 31, 32, 33}) {
    Dataset data{.name = "white", .image = {1, width, 1}, .classes = 1};
    data.labels.resize(200);
    data.pixels.assign(static_cast<size_t>(200 * width), 255);
    Loader loader(data, none(1), {.batch_size = 200, .augment = true});
    const Seen seen = epoch(loader, 0);
    int64_t most = 0;
    for (int64_t i = 0; i < 200; ++i) {
      const auto begin = seen.values.begin() + i * width;
      const int64_t black = std::count(begin, begin + width, real(0));
      if (black < width) most = std::max(most, black);  // else it moved down or up, out of the image
    }
    CHECK(most == (width < 32 ? 2 : 4));
  }
}

TEST_CASE("an epoch may be abandoned at any batch, and the next one is not disturbed") {
  const Dataset data = noise(160, {16, 16, 3}, true);
  const LoaderOptions options{.batch_size = 16, .augment = true};
  Loader loader(data, measure(data), options), reference(data, measure(data), options);
  const Seen whole = epoch(reference, 99);
  for (int64_t left = 0; left <= loader.batches(); ++left) {
    Batch batch;
    loader.begin_epoch(left);
    for (int64_t i = 0; i < left; ++i) CHECK(loader.next(batch));
    CHECK(epoch(loader, 99) == whole);
  }
}

TEST_CASE("a steady state takes no memory from the system, and the same number of tensors lives at every step") {
  const Dataset data = noise(400, {16, 16, 3});
  Loader loader(data, measure(data), {.batch_size = 32, .augment = true});
  epoch(loader, 0);
  int64_t live = 0;
  for (int64_t e = 1; e < 4; ++e) {
    int64_t step = 0;
    loader.begin_epoch(e);
    const int64_t before = memory_stats().system_allocations;
    for (Batch batch; loader.next(batch); ++step) {
      if (e == 1 && step == 0) live = live_nodes();
      if (step < 8) CHECK(live_nodes() == live);
    }
    CHECK(memory_stats().system_allocations == before);
  }
}

TEST_CASE("what goes wrong in the background reaches next()") {
  Dataset data = numbers(100);
  for (const bool background : {true, false}) {
    Loader loader(data, none(1), {.batch_size = 10, .background = background});
    data.labels.pop_back();
    loader.begin_epoch(0);
    Batch batch;
    for (int i = 0; i < 10; ++i)
      CHECK(error_of(Fault::usage, [&] { loader.next(batch); }) ==
            "loader: the data set must not change while it is in use");
    CHECK(!loader.next(batch));  // and nothing is prepared any more that would see the next change
    data.labels.push_back(99);
    CHECK(epoch(loader, 0).labels.size() == 100);
  }
}

TEST_CASE("a loader refuses what it cannot load") {
  const Dataset data = numbers(10);
  Dataset broken = data;
  broken.pixels.pop_back();
  CHECK(error_of(Fault::usage, [&] { Loader(data, none(1), {.batch_size = 0}); }) ==
        "loader: batch_size must be positive, got 0");
  CHECK(error_of(Fault::usage, [&] { Loader(data, none(3), {}); }) ==
        "loader: the normalisation must have 1 channels, got 3");
  CHECK(error_of(Fault::usage, [&] {
          Loader(data, {{0}, {0}}, {});
        }) == "loader: deviations must be above 0 and finite, got 0; measure() gives 1 for a constant channel");
  CHECK(error_of(Fault::usage, [&] { Loader(broken, none(1), {}); }) ==
        "loader: 10 images of (1, 1, 1) must have 10 pixels, got 9");
  CHECK(error_of(Fault::usage, [&] {
          Loader(Dataset{.name = "", .image = {1, 1, 1}}, none(1), {});
        }) == "loader: the data set must have an example");
  CHECK(error_of(Fault::usage, [&] { Loader(data, none(1), {.batch_size = 11, .drop_last = true}); }) ==
        "loader: 10 images give no batch of 11: shuffle leaves out fewer than two images a shard, drop_last any short "
        "batch");
  CHECK(error_of(Fault::usage, [&] { Loader(numbers(1), none(1), {}); }).find("1 images give no batch of 64") !=
        std::string::npos);
  Loader(numbers(1), none(1), {.shuffle = false});
  CHECK(error_of(Fault::usage, [&] { Loader(data, none(1), {.shards = 0}); }) ==
        "loader: shards [0, 1) are none of the 0 of a batch");
  for (const auto& [first, end] : {std::pair(-1, 1), {1, 1}, {1, 3}})
    CHECK(error_of(Fault::usage, [&, first = first, end = end] {
            Loader(data, none(1), {.shards = 2, .first_shard = first, .end_shard = end});
          }) == fmt::format("loader: shards [{}, {}) are none of the 2 of a batch", first, end));
}

TEST_CASE("the loader refuses images without height, width and channels") {
  Dataset rows = numbers(4);
  rows.image = {1};
  CHECK_THROWS_WITH_AS(Loader(rows, none(1), {}), doctest::Contains("loader: an image must be (H, W, C), got (1)"),
                       Error);
}

TEST_CASE("a crop may take in the image mirrored at its border") {
  const int64_t height = 5, width = 4, channels = 2;
  const Dataset data = noise(200, {height, width, channels}, true);
  Loader loader(data, none(2),
                {.batch_size = 200, .shuffle = false, .augment = true, .augmentation = {.crop = 6, .reflect = true}}),
      black(data, none(2), {.batch_size = 200, .shuffle = false, .augment = true, .augmentation = {.crop = 6}});
  loader.begin_epoch(3);
  black.begin_epoch(3);
  Batch moved, other;
  loader.next(moved);
  black.next(other);
  // Walks there and back from pixel 0.
  const auto walk = [](int64_t to, int64_t n) {
    int64_t at = 0, step = to < 0 ? -1 : 1, direction = 1;
    for (int64_t i = 0; i != to; i += step) {
      if (at + direction < 0 || at + direction >= n) direction = -direction;
      at += direction;
    }
    return at;
  };
  int64_t found = 0;
  for (int64_t i = 0; i < 200; ++i) {
    const uint8_t* image = data.pixels.data() + i * data.image.size();
    bool any = false;
    for (int64_t down = -6; down <= 6 && !any; ++down) {
      for (int64_t right = -6; right <= 6 && !any; ++right) {
        for (const bool mirror : {false, true}) {
          bool same = true;
          for (int64_t j = 0; same && j < data.image.size(); ++j) {
            const int64_t c = j % channels, x = j / channels % width, y = j / channels / width;
            const int64_t from =
                (walk(y + down, height) * width + walk((mirror ? width - 1 - x : x) + right, width)) * channels + c;
            same = moved.x.data()[i * data.image.size() + j] == static_cast<real>(image[from]);
          }
          any |= same;
        }
      }
    }
    found += any;
  }
  CHECK(found == 200);
  // What is inside is what stands there with a black border: the draws are the same.
  int64_t inside = 0;
  for (int64_t i = 0; i < moved.x.size(); ++i) {
    if (other.x.data()[i] == 0) continue;
    ++inside;
    CHECK(other.x.data()[i] == moved.x.data()[i]);
  }
  CHECK(inside > moved.x.size() / 10);
}

TEST_CASE("alternate: an image is mirrored every other epoch, half of them in each") {
  const Dataset data = noise(100, {1, 9, 1}, true), places = numbers(100);
  // Of each image in the order of the data; the order of an epoch has no part in it.
  const auto mirrored = [&](int64_t number, uint64_t seed = 1) {
    LoaderOptions options{.batch_size = 100, .seed = seed};
    Loader order(places, none(1), options);
    const Labels shuffled = epoch(order, number).labels;
    options.augment = true;
    options.augmentation = {.crop = 0, .alternate = true};
    Loader loader(data, none(1), options);
    const std::vector<real> values = epoch(loader, number).values;
    std::vector<bool> all(100);
    for (int64_t i = 0; i < 100; ++i) {
      const int32_t place = shuffled[static_cast<size_t>(i)];
      const auto in = data.pixels.begin() + place * 9;
      const auto out = values.begin() + i * 9;
      const bool as_is = std::equal(in, in + 9, out);
      CHECK(as_is != std::equal(in, in + 9, std::make_reverse_iterator(out + 9)));
      all[static_cast<size_t>(place)] = !as_is;
    }
    return all;
  };
  const std::vector<bool> first = mirrored(1), second = mirrored(2);
  std::vector<bool> flipped = first;
  flipped.flip();
  CHECK(second == flipped);
  CHECK(mirrored(3) == first);
  CHECK(mirrored(1, 2) != first);
  const auto count = std::ranges::count(first, true);
  CHECK((count > 30 && count < 70));
}

TEST_CASE("cutout: a square, cut by the border, is 0; its centre is anywhere, and the other draws stay the same") {
  const int64_t height = 7, width = 5, side = 4, n = 2000;
  Dataset data = noise(n, {height, width, 1}, true);
  for (uint8_t& pixel : data.pixels) pixel = pixel == 50 ? 51 : pixel;  // after normalisation no pixel is 0 by itself
  const auto batch = [&](bool augment, int64_t cutout) {
    Loader loader(
        data, {{50}, {2}},
        {.batch_size = n, .shuffle = false, .augment = augment, .augmentation = {.reflect = true, .cutout = cutout}});
    return epoch(loader, 1).values;
  };
  const std::vector<real> plain = batch(true, 0), cut = batch(true, side);
  std::set<std::pair<int64_t, int64_t>> corners;
  for (int64_t i = 0; i < n; ++i) {
    const auto at = [&](int64_t y, int64_t x) { return static_cast<size_t>((i * height + y) * width + x); };
    int64_t top = height, bottom = -1, left = width, right = -1, hidden = 0;
    for (int64_t y = 0; y < height; ++y)
      for (int64_t x = 0; x < width; ++x) {
        if (cut[at(y, x)] != 0) {
          CHECK(cut[at(y, x)] == plain[at(y, x)]);
          continue;
        }
        top = std::min(top, y), bottom = std::max(bottom, y), left = std::min(left, x), right = std::max(right, x);
        ++hidden;
      }
    // A full rectangle, shorter than `side` only where the border cuts it.
    CHECK(hidden == (bottom - top + 1) * (right - left + 1));
    CHECK((bottom - top + 1 == side || top == 0 || bottom == height - 1));
    CHECK((right - left + 1 == side || left == 0 || right == width - 1));
    CHECK((bottom - top < side && right - left < side));
    corners.insert({top + bottom, left + right});
  }
  CHECK(corners.size() == static_cast<size_t>(height * width));  // every centre is drawn
  CHECK(batch(false, side) == batch(false, 0));                  // not when testing
}
