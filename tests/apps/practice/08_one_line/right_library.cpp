// By algorithms of the standard library.
#include <evenkeel/practice.h>

std::vector<double> backward_in_one_line(const std::vector<double>& xhat, double s, double gamma,
                                         const std::vector<double>& g) {
  const double m = xhat.size(), mean = std::accumulate(g.begin(), g.end(), 0.0) / m;
  const double along = std::inner_product(g.begin(), g.end(), xhat.begin(), 0.0) / m;
  std::vector<double> dx;
  for (size_t i = 0; i < g.size(); ++i) dx.push_back((g[i] - mean - along * xhat[i]) * gamma / s);
  return dx;
}
