// A network's loss and accuracy on a data set.
#pragma once
#include <functional>

#include "../../data/loader.h"
#include "../../layers/layer.h"

namespace evenkeel {

struct Score {
  double loss = 0;  // mean cross-entropy, without label smoothing
  int64_t correct = 0, count = 0;
  double accuracy() const { return static_cast<double>(correct) / static_cast<double>(count); }
};

constexpr int64_t evaluation_batch = 256;

// In Mode::eval, every example once, nothing recorded. keep_going is asked before every batch; at its first no, the
// score so far is returned. `see` gets the outputs (n, classes) and labels of every batch, in the examples' order.
Score evaluate(
    Layer& network, const Dataset& data, const Normalization& normalization, int64_t batch_size = evaluation_batch,
    const std::function<bool(double fraction_done)>& keep_going = [](double) { return true; },
    const std::function<void(const Tensor& logits, const Labels& labels)>& see = [](const Tensor&, const Labels&) {});

}  // namespace evenkeel
