// caught by: company
#include <evenkeel/practice.h>

using namespace evenkeel;

Tensor normalise_examples(const Tensor& x, double eps) {
  const Tensor centred = x - spread_channels(mean_channels(x), x.shape());
  return centred * (1 / std::sqrt(mean(square(centred)).item() + eps));
}
