#include "core/ops/loss.h"

#include <algorithm>
#include <cmath>

#include "core/ops/rearrange.h"
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

// The sum of term(i) for i in [begin, end).
template <class Term>
double add_up(int64_t begin, int64_t end, Term term) {
  double sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = begin; i < end; ++i) sum += term(i);
  return sum;
}

// Sets e = e^(x - m) in the rows [begin, end), m a row's largest value; then calls f(row, m, the sum of its e >= 1).
// Rows are taken together, so that 10 classes fill a register as well as 1000.
template <class F>
void exponentials(const real* x, int64_t begin, int64_t end, int64_t classes, real* e, F f) {
  constexpr int64_t most = 128;
  const int64_t together = std::clamp<int64_t>(2048 / classes, 1, most);
  for (int64_t first = begin; first < end; first += together) {
    const int64_t last = std::min(end, first + together);
    real largest[most];
    for (int64_t r = first; r < last; ++r) {
      real m = x[r * classes];
#pragma omp simd reduction(max : m)
      for (int64_t i = r * classes; i < (r + 1) * classes; ++i) m = x[i] > m ? x[i] : m;
#pragma omp simd
      for (int64_t i = r * classes; i < (r + 1) * classes; ++i) e[i] = x[i] - m;
      largest[r - first] = m;
    }
#pragma omp simd
    for (int64_t i = first * classes; i < last * classes; ++i) e[i] = exp(e[i]);
    for (int64_t r = first; r < last; ++r)
      f(r, largest[r - first], add_up(r * classes, (r + 1) * classes, [e](int64_t i) { return e[i]; }));
  }
}

// A row's target distribution: `rest` everywhere, plus `hit` at the label.
struct Smoothing {
  Smoothing(real s, int64_t classes) : hit(1 - s), rest(s / static_cast<real>(classes)) {
    check(s >= 0 && s <= 1, "cross_entropy: smoothing must be in [0, 1], got {}", s);
  }
  real hit, rest;
};

// y by blocks of rows: f(begin, end, out) sets the rows [begin, end).
template <class F>
Tensor map_blocks(const Shape& shape, F f) {
  Tensor y = Tensor::empty(shape);
  real* out = y.mutable_data();
  parallel_blocks(y.rows(), row_block(shape.channels()), [=](int64_t begin, int64_t end) { f(begin, end, out); });
  return y;
}

// y by rows: f(begin, end, out) sets the elements [begin, end) of one.
template <class F>
Tensor map_rows(const Shape& shape, F f) {
  return map_blocks(shape, [=, classes = shape.channels()](int64_t begin, int64_t end, real* out) {
    for (int64_t r = begin; r < end; ++r) f(r * classes, (r + 1) * classes, out);
  });
}

void check_channels(const char* op, const Shape& x) {
  check(x.rank() >= 1 && x.channels() > 0, "{}: needs channels, got {}", op, x);
}

}  // namespace

Tensor softmax(const Tensor& x) {
  check_channels("softmax", x.shape());
  const int64_t classes = x.channels();
  const Tensor y = map_blocks(x.shape(), [in = x.data(), classes](int64_t begin, int64_t end, real* out) {
    exponentials(in, begin, end, classes, out, [=](int64_t r, real, double sum) {
      const real scale = static_cast<real>(1 / sum);
#pragma omp simd
      for (int64_t i = r * classes; i < (r + 1) * classes; ++i) out[i] *= scale;
    });
  });
  return record(y, {x.without_values()}, [](const Tensor& p, const Tensor& g) {
    if (recording()) return Grads{p * (g - spread_channels(sum_channels(p * g), g.shape()))};
    return Grads{map_rows(g.shape(), [at = p.data(), in = g.data()](int64_t begin, int64_t end, real* out) {
      const real s = static_cast<real>(add_up(begin, end, [=](int64_t i) { return at[i] * in[i]; }));
#pragma omp simd
      for (int64_t i = begin; i < end; ++i) out[i] = at[i] * (in[i] - s);
    })};
  });
}

Tensor log_softmax(const Tensor& x) {
  check_channels("log_softmax", x.shape());
  const int64_t classes = x.channels();
  const Tensor y = map_blocks(x.shape(), [in = x.data(), classes](int64_t begin, int64_t end, real* out) {
    exponentials(in, begin, end, classes, out, [=](int64_t r, real largest, double sum) {
      const real log_sum = static_cast<real>(std::log(sum));
#pragma omp simd
      for (int64_t i = r * classes; i < (r + 1) * classes; ++i) out[i] = in[i] - largest - log_sum;
    });
  });
  return record(y, {x.without_values()}, [](const Tensor& l, const Tensor& g) {
    if (recording()) return Grads{g - exp(l) * spread_channels(sum_channels(g), g.shape())};
    return Grads{map_rows(g.shape(), [at = l.data(), in = g.data()](int64_t begin, int64_t end, real* out) {
      const real s = static_cast<real>(add_up(begin, end, [=](int64_t i) { return in[i]; }));
#pragma omp simd
      for (int64_t i = begin; i < end; ++i) out[i] = in[i] - exp(at[i]) * s;
    })};
  });
}

Tensor cross_entropy(const Tensor& logits, const Labels& labels, real smoothing) {
  check_labels("cross_entropy", logits, labels);
  const int64_t rows = logits.rows(), classes = logits.channels();
  const Smoothing target(smoothing, classes);
  Tensor gradient = Tensor::empty(logits.shape());  // of the loss, (softmax - target) / rows; unless it is needed, e^x
  const bool with_gradient = logits.tracked() && recording();
  std::vector<double> losses(static_cast<size_t>(rows));
  const real* in = logits.data();
  real* d = gradient.mutable_data();
  parallel_blocks(rows, row_block(classes), [&](int64_t begin, int64_t end) {
    exponentials(in, begin, end, classes, d, [&](int64_t r, real largest, double sum) {
      const real* x = in + r * classes;
      real* dr = d + r * classes;
      const double rest =
          target.rest == 0 ? 0 : add_up(0, classes, [&](int64_t c) { return target.rest * (x[c] - largest); });
      losses[r] = std::log(sum) - target.hit * (x[labels[r]] - largest) - rest;
      if (!with_gradient) return;
      const real count = static_cast<real>(rows), scale = 1 / (static_cast<real>(sum) * count),
                 low = target.rest / count;
#pragma omp simd
      for (int64_t c = 0; c < classes; ++c) dr[c] = dr[c] * scale - low;
      dr[labels[r]] -= target.hit / count;
    });
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
  const Tensor l = log_softmax(logits);
  std::vector<int64_t> places;
  for (int64_t r = 0; r < rows; ++r) places.push_back(r * classes + labels[r]);
  Tensor total = smooth.hit * sum(gather_rows(reshape(l, {rows * classes}), places));
  if (smooth.rest != 0) total = total + smooth.rest * sum(l);  // 0 x infinity is NaN: an impossible class counts 0
  return total / -static_cast<real>(rows);
}

Tensor mean_squared_error(const Tensor& x, const Tensor& target) {
  check(x.shape() == target.shape() && x.size() > 0,
        "mean_squared_error: shapes must agree and hold values, got {} and {}", x.shape(), target.shape());
  return squared_distance(x, target) / static_cast<real>(x.size());
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
