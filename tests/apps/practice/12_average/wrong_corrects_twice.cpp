// caught by: constant
#include <evenkeel/practice.h>

using namespace evenkeel;

void add(double& average, double& weight, double value, double a) {
  weight = (1 - a) * weight + a;
  average = ((1 - a) * average + a * value) / weight;
}

double corrected(double average, double weight) {
  (void)weight;
  return average;
}
