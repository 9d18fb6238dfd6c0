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
  return b;  // write this
}
