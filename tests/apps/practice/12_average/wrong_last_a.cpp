// caught by: varying
#include <evenkeel/practice.h>

using namespace evenkeel;

void add(double& average, double& weight, double value, double a) {
  static double t = 0;
  if (weight == 0) t = 0;
  average = (1 - a) * average + a * value;
  weight = 1 - std::pow(1 - a, ++t);
}

double corrected(double average, double weight) { return weight > 0 ? average / weight : 0; }
