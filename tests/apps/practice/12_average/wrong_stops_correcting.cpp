// caught by: constant
#include <evenkeel/practice.h>

using namespace evenkeel;

void add(double& average, double& weight, double value, double a) {
  average = (1 - a) * average + a * value;
  weight = (1 - a) * weight + a;  // the average of a stream of ones
}

double corrected(double average, double weight) {
  if (weight > 0.99) return average;
  return weight > 0 ? average / weight : 0;
}
