// caught by: forbidden
#include <evenkeel/practice.h>

using namespace evenkeel;

Tensor normalise_examples(const Tensor& x, double eps) {
  return layer_norm(x, Tensor::full({x.channels()}, 1), Tensor::zeros({x.channels()}), eps);
}
