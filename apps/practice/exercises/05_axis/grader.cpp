#include <evenkeel/practice.h>

using namespace evenkeel;

Tensor normalise_images(const Tensor& x, double eps);

void grade(practice::Grade& g) {
  Random random(5);
  const Shape images{2, 1, 3, 2}, table{6, 2};  // 2 images of 1 x 3 pixels, 2 channels
  const Tensor x = map(Tensor::normal(images, random, 1, 2), [](double v) { return std::round(v) + 0.0; });
  const Tensor y = normalise_images(x, 1e-12);
  g.law("shape", "The output has the shape of the input.");
  g.same_shape("y", images, y);

  g.law("channels",
        "Multiplying channel 0 of x by 5, and adding 3, changes no output: expected is y before, found is y after. "
        "Channel 1 has nothing to do with channel 0.");
  const Tensor big = 1000 * x;  // so that no eps matters
  const Tensor scaled =
      big * spread_rows(Tensor::of({2}, {5, 1}), images) + spread_rows(Tensor::of({2}, {3, 0}), images);
  g.given("x, a row for each pixel", scaled.viewed(table));
  g.equal("y, a row for each pixel", normalise_images(big, 1e-5).viewed(table),
          normalise_images(scaled, 1e-5).viewed(table), 1e-6);

  g.law("mean", "The mean of each channel is 0 afterwards, over all images and pixels.");
  g.equal("mean of each channel", {0, 0}, mean_rows(y).values());

  g.law("pixels", "Pixels are rows: images of another height and width, with the same pixels, give the same numbers.");
  const Tensor other = normalise_images(x.viewed({1, 2, 3, 2}), 1e-12);
  g.equal("y, a row for each pixel", y.viewed(table), other.viewed(table));

  g.law("values",
        "The outputs are (x - mean) / sqrt(variance + eps). The variance divides by the number of values of the "
        "channel; the argument eps is inside the root.");
  g.given("eps", 0.1);
  const Tensor right = batch_norm(x, Tensor::full({2}, 1), Tensor::zeros({2}), 0.1).y;
  g.given("x, a row for each pixel", x.viewed(table));
  g.equal("y, a row for each pixel", right.viewed(table), normalise_images(x, 0.1).viewed(table));
  const Shape three{2, 2, 1, 3};  // of another number of channels
  const Tensor other_x = Tensor::normal(three, random, 1, 2);
  g.given("x, a row for each pixel", other_x.viewed({4, 3}));
  g.equal("y, a row for each pixel",
          batch_norm(other_x, Tensor::full({3}, 1), Tensor::zeros({3}), 0.1).y.viewed({4, 3}),
          normalise_images(other_x, 0.1).viewed({4, 3}));
}
