#include <evenkeel/practice.h>

using namespace evenkeel;

Tensor normalise_examples(const Tensor& x, double eps);

// The first example of a batch, as a batch.
Tensor first_example(const Tensor& x) {
  const std::vector<double> all = x.values();
  const int64_t f = x.size() / x.dim(0);
  Shape one{1};
  for (int axis = 1; axis < x.shape().rank(); ++axis) one.push_back(x.dim(axis));
  return Tensor::of(one, {all.begin(), all.begin() + f});
}

Tensor library(const Tensor& x, double eps) {
  const int64_t c = x.channels();
  return layer_norm(x, Tensor::full({c}, 1), Tensor::zeros({c}), eps);
}

void grade(practice::Grade& g) {
  Random random(4);
  const Tensor x = Tensor::normal({3, 4}, random, 1, 2), images = Tensor::normal({2, 2, 1, 3}, random, -1, 2);
  const double eps = 1e-5;

  g.law("shape", "The output has the shape of the input.");
  g.same_shape("y", x.shape(), normalise_examples(x, eps));

  g.law("mean", "The mean of each example is 0 afterwards. A row is an example.");
  g.given("y", normalise_examples(x, eps));
  g.equal("mean of each example", {0, 0, 0}, mean_channels(normalise_examples(x, eps)).values());

  g.law("company", "An example gives the same outputs alone as in the company of others.");
  g.equal("y of the first example", normalise_examples(first_example(x), eps),
          first_example(normalise_examples(x, eps)));

  g.law("forgets",
        "Multiplying the first example by 5, and adding 3, changes no output: expected is y before, found is y after.");
  const Shape shape = x.shape();
  const Tensor big = 1000 * x;  // so that no eps matters
  const Tensor scaled =
      big * spread_channels(Tensor::of({3}, {5, 1, 1}), shape) + spread_channels(Tensor::of({3}, {3, 0, 0}), shape);
  g.given("x", big);
  g.given("the other x", scaled);
  g.equal("y", normalise_examples(big, eps), normalise_examples(scaled, eps), 1e-6);

  g.law("values",
        "The outputs are (x - mean) / sqrt(variance + eps). The variance divides by the number of values of the "
        "example; the argument eps is inside the root.");
  g.given("x", x);
  g.given("eps", 0.1);
  g.equal("y", library(x, 0.1), normalise_examples(x, 0.1));

  g.law("images", "An image has one mean and one variance, over all its pixels and channels together.");
  g.given("x, a row for each pixel", images);
  g.equal("y, a row for each pixel", library(images, eps), normalise_examples(images, eps));

  g.law("constant", "An example whose values are all the same gives zeros.");
  g.equal("y", Tensor::zeros({1, 3}), normalise_examples(Tensor::full({1, 3}, 7), eps));

  g.law("large mean", "It is right for examples of any size: also if the mean is large and the variance small.");
  const double mean = 1e6, sigma = 1e-2;
  const Tensor small = library(x, 0) * sigma, large = small + mean;
  g.given("x - 1000000", small);
  g.given("eps", 1e-12);
  // A mean of four values is right to four roundings of it: in y each counts 1 / sigma. The largest y is larger than 1.
  // The factor two is for the library's own roundings.
  const double rounding = std::numeric_limits<double>::epsilon() / 2;
  g.equal("y", library(large, 1e-12), normalise_examples(large, 1e-12), 2 * 4 * rounding * mean / sigma);
}
