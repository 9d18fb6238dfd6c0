// As a table.
#include <evenkeel/practice.h>

using namespace evenkeel;

Tensor normalise_channels(const Tensor& x, double eps) {
  const Shape table{x.rows(), x.channels()};
  const Tensor t = reshape(x, table), centred = t - spread_rows(mean_rows(t), table);
  const Tensor s = sqrt(mean_rows(square(centred)) + eps);
  return reshape(centred / spread_rows(s, table), x.shape());
}
