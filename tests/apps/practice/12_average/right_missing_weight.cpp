// Keeps what is missing of the weight.
#include <evenkeel/practice.h>

using namespace evenkeel;

void add(double& average, double& weight, double value, double a) {
  const double missing = (1 - a) * (1 - weight);
  average = (1 - a) * average + a * value;
  weight = 1 - missing;
}

double corrected(double average, double weight) { return weight == 0 ? 0 : average / weight; }
