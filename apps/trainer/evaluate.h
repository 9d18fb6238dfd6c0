// A network's loss and accuracy on a data set.
#pragma once
#include <functional>

#include "../../core/base/shards.h"
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
  double weight = 1;  // of its logits; the weights of all views add up to 1
};
using Views = std::vector<View>;
// Unshifted (weight 1/2) and shifted by a pixel along a diagonal in both directions (1/4 each); if images may be
// mirrored, also the same three mirrored, at half the weights.
Views test_views(bool may_be_mirrored);

// Evaluates every example once, in Mode::eval, without recording. The logits are the weighted mean over the views.
// Calls keep_going before every batch; if it returns false, returns the score so far. Calls `see` with the logits (n,
// classes) and labels of every batch, in order. With `processes`, one shard in each of them, they share the batches:
// each gets the whole score, and `see` only the batches of its own.
Score evaluate(
    Layer& network, const Dataset& data, const Normalization& normalization, int64_t batch_size = evaluation_batch,
    const std::function<bool(double fraction_done)>& keep_going = [](double) { return true; },
    const std::function<void(const Tensor& logits, const Labels& labels)>& see = [](const Tensor&, const Labels&) {},
    const Views& views = {View()}, Shards* processes = nullptr);

}  // namespace evenkeel
