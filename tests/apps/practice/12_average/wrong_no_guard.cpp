// caught by: empty
#include <evenkeel/practice.h>

using namespace evenkeel;

void add(double& average, double& weight, double value, double a) {
  average = (1 - a) * average + a * value;
  weight = (1 - a) * weight + a;
}

double corrected(double average, double weight) { return average / weight; }
