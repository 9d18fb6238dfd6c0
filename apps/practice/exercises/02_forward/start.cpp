#include <evenkeel/practice.h>

std::vector<double> normalise(const std::vector<double>& x, double gamma, double beta, double eps) {
  return x;  // write this
}
