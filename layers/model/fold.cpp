#include "layers/model/fold.h"

#include <algorithm>
#include <cmath>

#include "layers/conv2d.h"
#include "layers/dense.h"
#include "layers/norm/group_norm.h"
#include "layers/norm/running_norm.h"

namespace evenkeel {
namespace {

void fold(const RunningNorm& norm, Owned& weight, Owned& bias) {
  const RunningNorm::Statistics statistics = norm.statistics();
  const int64_t outputs = weight.dim(0), inputs = weight.size() / std::max<int64_t>(1, outputs);
  check(norm.gamma.size() == outputs, "fold: a layer with {} outputs is followed by {}, a norm of {} channels", outputs,
        norm.describe(), norm.gamma.size());
  if (!bias.defined()) bias = Tensor::zeros({outputs}).track();
  real *w = weight.mutable_data(), *b = bias.mutable_data();
  for (int64_t k = 0; k < outputs; ++k) {
    const double scale = norm.gamma.data()[k] / std::sqrt(static_cast<double>(statistics.var.data()[k]));
    for (int64_t i = k * inputs; i < (k + 1) * inputs; ++i) w[i] = static_cast<real>(scale * w[i]);
    b[k] = static_cast<real>(scale * (b[k] - statistics.mean.data()[k]) + norm.beta.data()[k]);
  }
}

}  // namespace

int fold_batch_norms(Sequential& network) {
  int folded = 0;
  for (size_t i = 0; i < network.size(); ++i) {
    if (auto* residual = dynamic_cast<Residual*>(&network[i])) folded += fold_batch_norms(residual->body());
    const auto* norm = dynamic_cast<const RunningNorm*>(&network[i]);
    if (!norm || i == 0) continue;
    // A layer before an instance norm has no bias in its description, so the folded network could not be read back.
    if (i + 1 < network.size() && dynamic_cast<InstanceNorm*>(&network[i + 1])) continue;
    if (auto* conv = dynamic_cast<Conv2d*>(&network[i - 1]))
      fold(*norm, conv->weight, conv->bias);
    else if (auto* dense = dynamic_cast<Dense*>(&network[i - 1]))
      fold(*norm, dense->weight, dense->bias);
    else
      continue;
    network.erase(i--);
    ++folded;
  }
  return folded;
}

}  // namespace evenkeel
