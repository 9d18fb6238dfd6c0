#include <evenkeel/practice.h>

using namespace evenkeel;

Tensor normalise_channels(const Tensor& x, double eps);

std::vector<double> channel_means(const Tensor& y) { return mean_rows(y).values(); }

void grade(practice::Grade& g) {
  Random random(3);
  const Shape images{2, 1, 3, 2};  // 2 images of 1 x 3 pixels, 2 channels
  const Tensor x = map(Tensor::normal(images, random, 1, 2), [](double v) { return std::round(v) + 0.0; });
  const double eps = 1e-5;

  g.law("shape", "The output has the shape of the input.");
  const Tensor y = normalise_channels(x, eps);
  g.same_shape("y", images, y);

  g.law("mean", "The mean of each channel is 0 afterwards, over all images and pixels.");
  g.given("x, a row for each pixel", x.viewed({6, 2}));
  g.equal("mean of each channel", {0, 0}, channel_means(y));

  g.law("pixels", "Pixels are rows: images of another height and width, with the same pixels, give the same numbers.");
  const Shape table{6, 2};
  const Tensor rows = normalise_channels(x.viewed({6, 1, 1, 2}), eps);
  g.equal("y, a row for each pixel", rows.viewed(table), y.viewed(table));

  g.law("channels",
        "Multiplying channel 0 of x by 5, and adding 3, changes no output: expected is y before, found is y after. "
        "Each channel has its own variance.");
  const Tensor big = 1000 * x;  // so that no eps matters
  const Tensor scaled =
      big * spread_rows(Tensor::of({2}, {5, 1}), images) + spread_rows(Tensor::of({2}, {3, 0}), images);
  g.given("x, a row for each pixel", scaled.viewed(table));
  g.equal("y, a row for each pixel", normalise_channels(big, eps).viewed(table),
          normalise_channels(scaled, eps).viewed(table), 1e-6);

  g.law("values",
        "The outputs are (x - mean) / sqrt(variance + eps). The variance divides by the number of values of the "
        "channel; the argument eps is inside the root.");
  const Tensor ones = Tensor::full({2}, 1), zeros = Tensor::zeros({2});
  g.given("eps", 0.1);
  g.given("x, a row for each pixel", x.viewed(table));
  g.equal("y, a row for each pixel", batch_norm(x, ones, zeros, 0.1).y.viewed(table),
          normalise_channels(x, 0.1).viewed(table));
  const Shape three{2, 2, 1, 3};  // of another number of channels
  const Tensor other_x = Tensor::normal(three, random, 1, 2);
  g.given("x, a row for each pixel", other_x.viewed({4, 3}));
  g.equal("y, a row for each pixel",
          batch_norm(other_x, Tensor::full({3}, 1), Tensor::zeros({3}), 0.1).y.viewed({4, 3}),
          normalise_channels(other_x, 0.1).viewed({4, 3}));

  g.law("large mean", "It is right for features of any size: also if the mean is large and the variance small.");
  const double mean = 1e6, sigma = 1e-2;
  const Tensor small = batch_norm(x, ones, zeros, 0).y * sigma, large = small + mean;
  g.given("x - 1000000, a row for each pixel", small.viewed(table));
  g.given("eps", 1e-12);
  // A mean of six values is right to six roundings of it: in y each counts 1 / sigma. The largest y is larger than 1.
  // The factor two is for the library's own roundings.
  const double rounding = std::numeric_limits<double>::epsilon() / 2;
  g.equal("y, a row for each pixel", batch_norm(large, ones, zeros, 1e-12).y.viewed(table),
          normalise_channels(large, 1e-12).viewed(table), 2 * 6 * rounding * mean / sigma);
}
