// caught by: forbidden
#include <evenkeel/practice.h>

using namespace evenkeel;

Tensor normalise_examples(const Tensor& x, double eps) {
  const int64_t m = x.size() / x.dim(0);
  const Tensor columns = transpose(reshape(x, {x.dim(0), m}));  // a column an example
  BatchNorm layer(x.dim(0), {.eps = eps});
  return reshape(transpose(layer.forward(columns, Mode::probe)), x.shape());
}
