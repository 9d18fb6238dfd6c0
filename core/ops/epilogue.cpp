#include "core/ops/epilogue.h"

#include <utility>

#include "core/kernels/finish.h"
#include "core/ops/elementwise.h"
#include "core/ops/per_channel.h"
#include "core/ops/pool.h"
#include "core/ops/reduce.h"

namespace evenkeel {

Tensor Epilogue::operator()(Tensor v) const {
  if (add.defined()) v = v + add;
  v = after == After::relu ? relu(v) : rest(v);
  return pool ? max_pool(v) : v;
}

Epilogue Epilogue::without_pool() const { return {.add = add, .after = after}; }

Tensor Epilogue::rest(const Tensor& y) const { return after == After::gelu ? gelu(y) : y; }

Finish Epilogue::finish(const char* op, const Tensor& bias, const Tensor& y) const {
  const int64_t channels = y.channels();
  check(!bias.defined() || bias.shape() == Shape{channels},
        "{}: a result of shape {} needs a bias of one value a channel, got {}", op, y.shape(),
        bias.defined() ? bias.shape() : Shape());
  check(!add.defined() || add.shape() == y.shape(), "{}: `add` must have the result's shape {}, got {}", op, y.shape(),
        add.defined() ? add.shape() : Shape());
  if (!bias.defined() && !add.defined() && after != After::relu) return {};
  return Finish(y.data(), bias.defined() ? bias.values() : std::vector<real>(static_cast<size_t>(channels)),
                add.defined() ? add.data() : nullptr, after == After::relu);
}

Tensor Epilogue::record(Tensor y, const Tensor& x, const Tensor& w, const Tensor& bias,
                        std::function<Tensor(const Tensor&, const Tensor&)> product,
                        std::function<Grads(const Tensor&)> adjoints, Unpool unpool, const char* op) const {
  check(!pool || unpool, "{}: only a convolution pools in its epilogue; call max_pool()", op);
  std::vector<Tensor> inputs{x, w};
  for (const Tensor& t : {bias, add})
    if (t.defined()) inputs.push_back(t);
  const auto vjp = [=, with_relu = after == After::relu, has_bias = bias.defined(), has_add = add.defined(),
                    sums = bias.defined() && bias.tracked()](const Tensor& out, const Tensor& g) {
    if (recording() && (with_relu || unpool)) {
      const auto definition = [&](const std::vector<Tensor>& in) {
        const Tensor v = product(in[0], in[1]);
        return Epilogue{.add = has_add ? in.back() : Tensor(),
                        .after = with_relu ? After::relu : After::nothing,
                        .pool = bool(unpool)}(has_bias ? add_per_channel(v, in[2]) : v);
      };
      return pull_back(definition, inputs, g);
    }
    Tensor dv = !with_relu ? g : sums ? reuse_or_empty(g) : pull_back_relu(g, out), dbias;
    if (sums) dbias = with_relu ? gate_and_sum_rows(g, out, dv) : sum_rows(g);
    if (unpool) dv = unpool(out, dv);
    Grads d = adjoints(dv);
    if (has_bias) d.push_back(dbias);
    if (has_add) d.push_back(dv);
    return d;
  };
  return rest(evenkeel::record(std::move(y), inputs, vjp_of(after == After::relu || pool, vjp), op));
}

}  // namespace evenkeel
