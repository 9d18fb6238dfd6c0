// caught by: forbidden
#include <evenkeel/practice.h>

using namespace evenkeel;

Tensor normalise(const Tensor& x, double eps) {
  BatchNorm layer(x.channels(), {.eps = eps});
  return layer.forward(x, Mode::probe);
}
