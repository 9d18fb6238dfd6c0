// caught by: constant
#include <evenkeel/practice.h>

using namespace evenkeel;

void add(double& average, double& weight, double value, double a) {
  average = (1 - a) * average + a * value;
  weight = weight + a;
}

double corrected(double average, double weight) { return weight > 0 ? average / weight : 0; }
