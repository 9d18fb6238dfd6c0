// caught by: dx
#include <evenkeel/practice.h>

struct Backward {
  double dbeta = 0, dgamma = 0;
  std::vector<double> dxhat;
  double dvar = 0, dmu = 0;
  std::vector<double> dx;
};

Backward backward(const std::vector<double>& x, double gamma, double eps, const std::vector<double>& g) {
  const size_t m = x.size();
  Backward b;
  b.dxhat.resize(m);
  b.dx.resize(m);
  double mu = 0, var = 0;
  for (double v : x) mu += v / m;
  for (double v : x) var += (v - mu) * (v - mu) / m;
  const double s = std::sqrt(var + eps);
  for (size_t i = 0; i < m; ++i) {
    b.dbeta += g[i];
    b.dgamma += g[i] * (x[i] - mu) / s;
    b.dxhat[i] = gamma * g[i];
    b.dvar += b.dxhat[i] * -(x[i] - mu) / (2 * s * s * s);
    b.dmu += b.dxhat[i] * -1 / s;
    b.dx[i] = b.dxhat[i] / s + b.dvar * 2 * (x[i] - mu) / m + b.dmu / m;
  }
  return b;
}
