#include "core/ops/epilogue.h"

#include <limits>

#include "core/ops/reduce.h"

namespace evenkeel {

Tensor Epilogue::operator()(Tensor v) const {
  if (scale.defined()) v = scale_per_channel(v, scale);
  if (shift.defined()) v = add_per_channel(v, shift);
  if (add.defined()) v = v + add;
  return relu ? evenkeel::relu(v) : v;
}

Epilogue Epilogue::after_bias(const Tensor& b) const {
  Epilogue e = *this;
  if (!b.defined()) return e;
  const Tensor own = scale.defined() ? b * scale : b;
  e.shift = shift.defined() ? shift + own : own;
  return e;
}

void Epilogue::append_inputs(std::vector<Tensor>& inputs) const {
  for (const Tensor& t : {scale, shift, add})
    if (t.defined()) inputs.push_back(t);
}

Epilogue Epilogue::with_inputs(const std::vector<Tensor>& inputs, size_t first) const {
  Epilogue e = *this;
  for (Tensor* t : {&e.scale, &e.shift, &e.add})
    if (t->defined()) *t = inputs[first++];
  return e;
}

Grads Epilogue::backward(const Tensor& y, const Tensor& g) const {
  check(differentiable(), "epilogue: a scale has no gradient here");
  const bool sums = shift.defined() && shift.tracked();
  Tensor dv = g, dshift;
  if (relu && sums)
    dshift = gate_and_sum_rows(g, y, dv);
  else if (relu)
    dv = gate(g, y);
  if (!relu && sums) dshift = sum_rows(g);
  Grads d{dv};
  if (shift.defined()) d.push_back(dshift);
  if (add.defined()) d.push_back(dv);
  return d;
}

Finish::Finish(const Epilogue& e, const Tensor& y) {
  if (e.nothing()) return;
  y_ = y.data();
  channels_ = y.channels();
  for (const Tensor& t : {e.scale, e.shift})
    if (t.defined())
      check(t.shape() == Shape{channels_}, "epilogue: a result of shape {} needs one value a channel, got {}", y.shape(), t.shape());
  check(!e.add.defined() || e.add.shape() == y.shape(), "epilogue: `add` must have the result's shape {}, got {}", y.shape(),
        e.add.defined() ? e.add.shape() : Shape());
  scale_ = e.scale.defined() ? e.scale.values() : std::vector<real>(static_cast<size_t>(channels_), 1);
  shift_ = e.shift.defined() ? e.shift.values() : std::vector<real>(static_cast<size_t>(channels_), 0);
  add_ = e.add.defined() ? e.add.data() : nullptr;
  relu_ = e.relu;
}

void Finish::operator()(real* to, int64_t rows, int64_t channel, int64_t columns) const {
  const real floor = relu_ ? 0 : -std::numeric_limits<real>::infinity();
  const real *scale = scale_.data() + channel, *shift = shift_.data() + channel;
  for (int64_t r = 0; r < rows; ++r, to += channels_) {
    const real* more = add_ ? add_ + (to - y_) : nullptr;
    if (more) {
#pragma omp simd
      for (int64_t c = 0; c < columns; ++c) {
        const real v = to[c] * scale[c] + shift[c] + more[c];
        to[c] = v < floor ? floor : v;
      }
    } else {
#pragma omp simd
      for (int64_t c = 0; c < columns; ++c) {
        const real v = to[c] * scale[c] + shift[c];
        to[c] = v < floor ? floor : v;
      }
    }
  }
}

}  // namespace evenkeel
