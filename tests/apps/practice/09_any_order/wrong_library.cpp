// caught by: forbidden
#include <evenkeel/practice.h>

using namespace evenkeel;

Tensor normalise(const Tensor& x, double eps) {
  return batch_norm(x, Tensor::full({x.channels()}, 1), Tensor::zeros({x.channels()}), eps).y;
}
