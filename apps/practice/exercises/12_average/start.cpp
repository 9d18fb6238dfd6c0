#include <evenkeel/practice.h>

using namespace evenkeel;

// `average` and `weight` are yours: both begin at 0, and add() may keep in them what it likes.
// add() takes in the value of one batch, with the weight a of the new value, 0 < a <= 1. a may differ from call to
// call.
void add(double& average, double& weight, double value, double a) {
  average = (1 - a) * average + a * value;  // and the weight?
}

// The bias-corrected average of what has been added. Before the first value: 0.
double corrected(double average, double weight) { return average; }
