#include "layers/model/inspect.h"

#include <algorithm>
#include <cmath>

namespace evenkeel {
namespace {

void inspect_from(Sequential& network, const std::string& prefix, const Tensor& x, Mode mode,
                  const std::function<void(const LayerIO&)>& see) {
  Tensor at = x;
  for (size_t i = 0; i < network.size(); ++i) {
    Layer& layer = network[i];
    const std::string name = prefix + std::to_string(i);
    if (auto* inner = dynamic_cast<Sequential*>(&layer)) {
      inspect_from(*inner, name + ".", at, mode, see);
    } else if (auto* residual = dynamic_cast<Residual*>(&layer)) {
      inspect_from(residual->body(), name + ".body.", at, mode, see);
    }
    const Tensor y = layer.forward(at, network.mode_of(i, mode));
    see({name, layer, i > 0 ? &network[i - 1] : nullptr, i + 1 < network.size() ? &network[i + 1] : nullptr, at, y});
    at = y;
  }
}

}  // namespace

void inspect(Sequential& network, const Tensor& x, Mode mode, const std::function<void(const LayerIO&)>& see) {
  check(mode != Mode::train,
        "inspect: in train mode the running averages would move; use probe, which normalises with the same statistics");
  const Recording off(false);
  inspect_from(network, "", x, mode, see);
}

void check_named(Sequential& network, const Tensor& x, const Tensor& loss) {
  if (unnamed(network, loss).empty()) return;
  inspect(network, x, Mode::probe, [](const LayerIO& sight) {  // inner layers come before those around them
    const Recording on(true);
    const std::vector<Tensor> lost = unnamed(sight.layer, sight.layer.forward(sight.x.detach(), Mode::probe));
    check(lost.empty(),
          "layer {} ({}): {} of its tracked tensors, the first of shape {}, are not named by its visit(), so they "
          "would be neither trained nor saved; name each with parameter(), or do not track() what is a constant",
          sight.name, sight.layer.describe(), lost.size(), lost.empty() ? Shape{} : lost[0].shape());
  });
  fail(Fault::usage, "training: the loss depends on {} tracked tensors that are not the network's parameters",
       unnamed(network, loss).size());
}

Tensor percentiles(const Tensor& x, const std::vector<double>& shares) {
  check(x.size() > 0, "percentiles: x must have values, got {}", x.shape());
  const int64_t rows = x.rows(), channels = x.channels(), count = static_cast<int64_t>(shares.size());
  Tensor result = Tensor::empty({count, channels});
  std::vector<real> column(static_cast<size_t>(rows));
  for (int64_t c = 0; c < channels; ++c) {
    for (int64_t r = 0; r < rows; ++r) column[static_cast<size_t>(r)] = x.data()[r * channels + c];
    const auto nan = std::find_if(column.begin(), column.end(), [](real v) { return std::isnan(v); });
    if (nan != column.end()) std::fill(column.begin(), column.end(), *nan);  // they have no order
    std::sort(column.begin(), column.end());
    for (int64_t k = 0; k < count; ++k) {
      const double share = shares[static_cast<size_t>(k)], place = share * static_cast<double>(rows - 1);
      check(share >= 0 && share <= 1, "percentiles: shares are from 0 to 1, got {}", share);
      const size_t below = static_cast<size_t>(place), above = std::min(below + 1, column.size() - 1);
      const real between = static_cast<real>(place - std::floor(place));
      const real low = column[below], rise = between == 0 ? 0 : between * (column[above] - low);
      result.mutable_data()[k * channels + c] = low + rise;
    }
  }
  return result;
}

}  // namespace evenkeel
