#include <evenkeel/practice.h>

using namespace evenkeel;

Tensor normalise_examples(const Tensor& x, double eps) {
  return x;  // write this
}
