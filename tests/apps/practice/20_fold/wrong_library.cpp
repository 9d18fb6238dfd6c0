// caught by: forbidden
#include <evenkeel/practice.h>

using namespace evenkeel;

Conv2d fold(const Conv2d& conv, const BatchNorm& norm) {
  Sequential both{Conv2d(conv), BatchNorm(norm)};
  fold_batch_norms(both);
  return dynamic_cast<Conv2d&>(both[0]);
}
