// caught by: first
#include <evenkeel/practice.h>

using namespace evenkeel;

void add(double& average, double& weight, double value, double a) {
  average = (1 - a) * average + a * value;
  weight = (1 - a) * weight + a;  // the average of a stream of ones
}

double corrected(double average, double weight) { return average > 0 ? average / weight : 0; }
