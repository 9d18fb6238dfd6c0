// By a function of one example.
#include <evenkeel/practice.h>

using namespace evenkeel;

std::vector<double> normal(std::vector<double> v, double eps) {
  const double mean = std::accumulate(v.begin(), v.end(), 0.0) / v.size();
  double squares = 0;
  for (double& e : v) squares += std::pow(e -= mean, 2);
  for (double& e : v) e /= std::sqrt(squares / v.size() + eps);
  return v;
}

Tensor normalise_examples(const Tensor& x, double eps) {
  std::vector<double> all;
  const int64_t f = x.size() / x.dim(0);
  for (int64_t n = 0; n < x.dim(0); ++n)
    for (double v : normal({x.data() + n * f, x.data() + (n + 1) * f}, eps)) all.push_back(v);
  return Tensor::of(x.shape(), all);
}
