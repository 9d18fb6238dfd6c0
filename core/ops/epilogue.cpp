#include "core/ops/epilogue.h"

#include "core/kernels/finish.h"
#include "core/ops/per_channel.h"
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

Finish Epilogue::finish(const Tensor& y) const {
  if (nothing()) return {};
  const int64_t channels = y.channels();
  for (const Tensor& t : {scale, shift})
    if (t.defined())
      check(t.shape() == Shape{channels}, "epilogue: a result of shape {} needs one value a channel, got {}", y.shape(),
            t.shape());
  check(!add.defined() || add.shape() == y.shape(), "epilogue: `add` must have the result's shape {}, got {}",
        y.shape(), add.defined() ? add.shape() : Shape());
  const auto values_or = [&](const Tensor& t, real value) {
    return t.defined() ? t.values() : std::vector<real>(static_cast<size_t>(channels), value);
  };
  return Finish(y.data(), values_or(scale, 1), values_or(shift, 0), add.defined() ? add.data() : nullptr, relu);
}

}  // namespace evenkeel
