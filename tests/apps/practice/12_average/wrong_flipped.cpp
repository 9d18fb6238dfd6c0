// caught by: weights
#include <evenkeel/practice.h>

using namespace evenkeel;

void add(double& average, double& weight, double value, double a) {
  average = a * average + (1 - a) * value;
  weight = a * weight + (1 - a);
}

double corrected(double average, double weight) { return weight > 0 ? average / weight : 0; }
