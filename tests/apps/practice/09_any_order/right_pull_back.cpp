// The derivative is handed over to the definition.
#include <evenkeel/practice.h>

using namespace evenkeel;

static Tensor slow(const Tensor& x, double eps) {
  const Tensor centred = add_per_channel(x, -mean_rows(x));
  return scale_per_channel(centred, rsqrt(mean_rows(square(centred)) + eps));
}

Tensor normalise(const Tensor& x, double eps) {
  return record(slow(x.detach(), eps), {x}, [x, eps](const Tensor&, const Tensor& g) {
    return pull_back([eps](const std::vector<Tensor>& in) { return slow(in[0], eps); }, {x}, g);
  });
}
