// Keeps the corrected average itself.
#include <evenkeel/practice.h>

using namespace evenkeel;

void add(double& average, double& weight, double value, double a) {
  weight += a * (1 - weight);
  average += a / weight * (value - average);
}

double corrected(double average, double weight) {
  (void)weight;
  return average;
}
