// caught by: another batch
#include <evenkeel/practice.h>

std::vector<double> backward_in_one_line(const std::vector<double>& xhat, double s, double gamma,
                                         const std::vector<double>& g) {
  const size_t m = xhat.size();
  std::vector<double> dx(m);
  double mean_g = 0, mean_gx = 0;
  for (size_t i = 0; i < m; ++i) {
    mean_g += g[i] / 5;
    mean_gx += g[i] * xhat[i] / 5;
  }
  for (size_t i = 0; i < m; ++i) dx[i] = gamma / s * (g[i] - mean_g - xhat[i] * mean_gx);
  return dx;
}
