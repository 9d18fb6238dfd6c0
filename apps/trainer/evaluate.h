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

// One view of a test image: shifted by (down, right) pixels with reflection padding, and mirrored if `mirrored`.
struct View {
  bool mirrored = false;
  int64_t down = 0, right = 0;
  double weight = 1;  // of what the network says of it; those of all views add up to 1
};
using Views = std::vector<View>;
// In its place (weight 1/2) and moved by a pixel along a diagonal, both ways (1/4 each): three, and where images may be
// mirrored as many of the mirrored one.
Views test_views(bool may_be_mirrored);

// In Mode::eval, every example once, nothing recorded. The logits are the weighted mean of those of all views.
// keep_going is asked before every batch; at its first no, the score so far is returned. `see` gets the outputs (n,
// classes) and labels of every batch, in the examples' order.
Score evaluate(
    Layer& network, const Dataset& data, const Normalization& normalization, int64_t batch_size = evaluation_batch,
    const std::function<bool(double fraction_done)>& keep_going = [](double) { return true; },
    const std::function<void(const Tensor& logits, const Labels& labels)>& see = [](const Tensor&, const Labels&) {},
    const Views& views = {View()});

}  // namespace evenkeel
