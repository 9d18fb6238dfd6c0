// caught by: weights
#include <evenkeel/practice.h>

using namespace evenkeel;

void add(double& average, double& weight, double value, double a) {
  average = weight == 0 ? value : (1 - a) * average + a * value;
  weight = 1;
}

double corrected(double average, double weight) {
  (void)weight;
  return average;
}
