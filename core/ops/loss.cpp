#include "core/ops/loss.h"

#include <cmath>

#include "core/ops/reduce.h"

namespace evenkeel {
namespace {

void check_labels(const char* op, const Tensor& logits, const Labels& labels) {
  const int64_t rows = logits.rows(), classes = logits.channels();
  check(logits.shape().rank() == 2 && logits.size() > 0, "{}: logits must be (rows, classes), got {}", op,
        logits.shape());
  check(static_cast<int64_t>(labels.size()) == rows, "{}: {} rows of logits need as many labels, got {}", op, rows,
        labels.size());
  for (int64_t r = 0; r < rows; ++r)
    check(labels[r] >= 0 && labels[r] < classes, "{}: labels must be 0 .. {}, that of row {} is {}", op, classes - 1, r,
          labels[r]);
}

struct Row {
  real largest, log_sum;  // of a row: its maximum m, and log(sum of e^(x - m)) >= 0
};

Row summary(const real* x, int64_t classes) {
  real largest = x[0];
#pragma omp simd reduction(max : largest)
  for (int64_t c = 1; c < classes; ++c) largest = x[c] > largest ? x[c] : largest;
  double sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t c = 0; c < classes; ++c) sum += exp(x[c] - largest);
  return {largest, static_cast<real>(std::log(sum))};
}

// A row's target distribution: `rest` everywhere, plus `hit` at the label.
struct Smoothing {
  Smoothing(real s, int64_t classes) : hit(1 - s), rest(s / static_cast<real>(classes)) {}
  real hit, rest;
};

}  // namespace

namespace {

// y = f(log-softmax of x).
template <class F>
Tensor map_log_softmax(const char* op, const Tensor& x, F f) {
  check(x.shape().rank() >= 1 && x.channels() > 0, "{}: needs channels, got {}", op, x.shape());
  Tensor y = Tensor::empty(x.shape());
  const int64_t classes = x.channels();
  const real* in = x.data();
  real* out = y.mutable_data();
  parallel_blocks(x.rows(), row_block(classes), [=](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const Row row = summary(in + r * classes, classes);
      for (int64_t i = r * classes; i < (r + 1) * classes; ++i) out[i] = f(in[i] - row.largest - row.log_sum);
    }
  });
  return y;
}

}  // namespace

Tensor softmax(const Tensor& x) {
  const Tensor y = map_log_softmax("softmax", x, [](real v) { return exp(v); });
  return record(y, {x.without_values()}, [](const Tensor& out, const Tensor& g) {
    return Grads{out * (g - spread_channels(sum_channels(out * g), g.shape()))};
  });
}

Tensor log_softmax(const Tensor& x) {
  const Tensor y = map_log_softmax("log_softmax", x, [](real v) { return v; });
  return record(y, {x.without_values()}, [](const Tensor& out, const Tensor& g) {
    return Grads{g - exp(out) * spread_channels(sum_channels(g), g.shape())};
  });
}

Tensor cross_entropy(const Tensor& logits, const Labels& labels, real smoothing) {
  check_labels("cross_entropy", logits, labels);
  check(smoothing >= 0 && smoothing <= 1, "cross_entropy: smoothing must be in [0, 1], got {}", smoothing);
  const int64_t rows = logits.rows(), classes = logits.channels();
  const Smoothing target(smoothing, classes);
  const bool with_gradient = logits.tracked() && recording();
  Tensor gradient;  // of the loss: (softmax - target) / rows, while the row is in cache
  if (with_gradient) gradient = Tensor::empty(logits.shape());
  std::vector<double> losses(static_cast<size_t>(rows));
  real* d = with_gradient ? gradient.mutable_data() : nullptr;
  parallel_blocks(rows, row_block(classes), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const real* x = logits.data() + r * classes;
      const Row row = summary(x, classes);
      double rest = 0;
      if (target.rest != 0)
#pragma omp simd reduction(+ : rest)
        for (int64_t c = 0; c < classes; ++c) rest += target.rest * (x[c] - row.largest);
      losses[r] = double(row.log_sum) - target.hit * (x[labels[r]] - row.largest) - rest;
      if (!d) continue;
      real* dr = d + r * classes;
      const real low = target.rest, count = static_cast<real>(rows);
#pragma omp simd
      for (int64_t c = 0; c < classes; ++c) dr[c] = (exp(x[c] - row.largest - row.log_sum) - low) / count;
      dr[labels[r]] -= target.hit / static_cast<real>(rows);
    }
  });
  double loss = 0;
  for (double l : losses) loss += l;
  return record(Tensor::scalar(static_cast<real>(loss / static_cast<double>(rows))), {logits},
                [logits, labels, smoothing, gradient](const Tensor& g) {
                  if (!recording()) return Grads{gradient * g.item()};
                  auto definition = [&](const std::vector<Tensor>& in) {
                    return cross_entropy_definition(in[0], labels, smoothing);
                  };
                  return pull_back(definition, {logits}, g);
                });
}

Tensor cross_entropy_definition(const Tensor& logits, const Labels& labels, real smoothing) {
  check_labels("cross_entropy", logits, labels);
  const int64_t rows = logits.rows(), classes = logits.channels();
  const Smoothing smooth(smoothing, classes);
  Tensor target = Tensor::full(logits.shape(), smooth.rest);
  real* hits = target.mutable_data();
  for (int64_t r = 0; r < rows; ++r) hits[r * classes + labels[r]] += smooth.hit;
  return dot(target, log_softmax(logits)) / -static_cast<real>(rows);
}

Tensor mean_squared_error(const Tensor& x, const Tensor& target) {
  check(x.shape() == target.shape() && x.size() > 0,
        "mean_squared_error: shapes must agree and hold values, got {} and {}", x.shape(), target.shape());
  return mean(square(x - target));
}

int64_t count_correct(const Tensor& logits, const Labels& labels) {
  check_labels("count_correct", logits, labels);
  const int64_t classes = logits.channels();
  int64_t correct = 0;
  for (int64_t r = 0; r < logits.rows(); ++r) {
    const real* x = logits.data() + r * classes;
    bool right = true;  // among equal logits the first counts as the largest
    for (int64_t c = 0; c < classes; ++c) right = right && (c < labels[r] ? x[labels[r]] > x[c] : x[labels[r]] >= x[c]);
    correct += right;
  }
  return correct;
}

}  // namespace evenkeel
