// By the Jacobian.
#include <evenkeel/practice.h>

std::vector<double> backward_in_one_line(const std::vector<double>& xhat, double s, double gamma,
                                         const std::vector<double>& g) {
  const size_t m = xhat.size();
  std::vector<double> dx(m, 0.0);
  for (size_t i = 0; i < m; ++i)
    for (size_t j = 0; j < m; ++j)
      dx[i] += gamma / s * ((i == j ? 1.0 : 0.0) - (1 + xhat[i] * xhat[j]) / double(m)) * g[j];
  return dx;
}
