// The table of the ops that `evenkeel bench --ops` times, and the loop that times them.
#include "core/ops/ops.h"

#include <chrono>
#include <functional>

#include "apps/bench/bench.h"
#include "layers/norm/batch_renorm.h"
#include "optim/adamw.h"
#include "optim/sgd.h"

namespace evenkeel {
namespace {

using Tensors = std::vector<Tensor>;

struct Op {
  std::string name;
  std::vector<Shape> inputs;
  // The least memory traffic, in multiples of the first input: each tensor that the op must read or write, once.
  double forward, backward;
  std::function<Tensor(const Tensors&)> f;  // the result; an undefined one has no backward pass
  bool positive = false;                    // its inputs
};

// An optimiser's update of one parameter of this shape, as an op of the gradient.
template <class Optimiser, class Options>
std::function<Tensor(const Tensors&)> update(const Shape& shape, const Options& options) {
  const auto optimiser =
      std::make_shared<Optimiser>(std::vector<Parameter>{{"w", Tensor::zeros(shape), true}}, options);
  return [optimiser](const Tensors& in) {
    optimiser->step({in[0].detach()});
    return Tensor();
  };
}

std::vector<Op> ops(int64_t n) {
  const Shape image{n, 32, 32, 64}, half{n, 32, 32, 32}, channel{64}, ten{n, 10}, thousand{n, 1000},
      matrix{n * 64, 1024};
  const double row = 1.0 / static_cast<double>(n * 1024), one = row / 64;  // of a value a channel, and of one value
  Labels labels;
  for (int64_t i = 0; i < n; ++i) labels.push_back(static_cast<int32_t>(i * 7 % 10));
  const std::vector<int64_t> rows = Random(1).permutation(n * 1024);
  const auto random = std::make_shared<Random>(1);
  const auto renorm = std::make_shared<BatchRenorm>(64);
  const Tensor mean = Tensor::zeros(channel), var = Tensor::full(channel, 2);
  const std::vector<Shape> x{image}, two{image, image}, scaled{image, channel}, normed{image, channel, channel};
  const Epilogue then{.after = After::relu};
  return {
      {"relu", x, 2, 3, [](const Tensors& in) { return relu(in[0]); }},
      {"leaky_relu", x, 2, 3, [](const Tensors& in) { return leaky_relu(in[0]); }},
      {"sigmoid", x, 2, 3, [](const Tensors& in) { return sigmoid(in[0]); }},
      {"tanh", x, 2, 3, [](const Tensors& in) { return tanh(in[0]); }},
      {"softplus", x, 2, 3, [](const Tensors& in) { return softplus(in[0]); }},
      {"gelu", x, 2, 3, [](const Tensors& in) { return gelu(in[0]); }},
      {"silu", x, 2, 3, [](const Tensors& in) { return silu(in[0]); }},
      {"normal_cdf", x, 2, 3, [](const Tensors& in) { return normal_cdf(in[0]); }},
      {"exp", x, 2, 3, [](const Tensors& in) { return exp(in[0]); }},
      {"log", x, 2, 3, [](const Tensors& in) { return log(in[0]); }, true},
      {"sqrt", x, 2, 3, [](const Tensors& in) { return sqrt(in[0]); }, true},
      {"rsqrt", x, 2, 3, [](const Tensors& in) { return rsqrt(in[0]); }, true},
      {"reciprocal", x, 2, 3, [](const Tensors& in) { return reciprocal(in[0]); }, true},
      {"square", x, 2, 3, [](const Tensors& in) { return square(in[0]); }},
      {"abs", x, 2, 3, [](const Tensors& in) { return abs(in[0]); }},
      {"clamp", x, 2, 3, [](const Tensors& in) { return clamp(in[0], -1, 1); }},
      {"add", two, 3, 0, [](const Tensors& in) { return in[0] + in[1]; }},
      {"subtract", two, 3, 2, [](const Tensors& in) { return in[0] - in[1]; }},
      {"multiply", two, 3, 5, [](const Tensors& in) { return in[0] * in[1]; }},
      {"divide", two, 3, 5, [](const Tensors& in) { return in[0] / in[1]; }, true},
      {"multiply by a number", x, 2, 2, [](const Tensors& in) { return in[0] * real(1.5); }},
      {"add_per_channel", scaled, 2, 1, [](const Tensors& in) { return add_per_channel(in[0], in[1]); }},
      {"scale_per_channel", scaled, 2, 3, [](const Tensors& in) { return scale_per_channel(in[0], in[1]); }},
      {"sum", x, 1, 1, [](const Tensors& in) { return sum(in[0]); }},
      {"sum_rows", x, 1 + row, 1 + row, [](const Tensors& in) { return sum_rows(in[0]); }},
      {"sum_channels", x, 65. / 64, 65. / 64, [](const Tensors& in) { return sum_channels(in[0]); }},
      {"sum_positions", x, 1025. / 1024, 1025. / 1024, [](const Tensors& in) { return sum_positions(in[0]); }},
      {"mean_rows", x, 1 + row, 1 + row, [](const Tensors& in) { return mean_rows(in[0]); }},
      {"dot", two, 2 + one, 4 + one, [](const Tensors& in) { return dot(in[0], in[1]); }},
      {"mean_squared_error", two, 2 + one, 4 + one, [](const Tensors& in) { return mean_squared_error(in[0], in[1]); }},
      {"max_pool 2x2", x, 1.25, 1.25, [](const Tensors& in) { return max_pool(in[0]); }},
      {"max_pool 3x3 stride 2", x, 1.25, 1.25,
       [](const Tensors& in) { return max_pool(in[0], {.size = 3, .stride = 2, .padding = 1}); }},
      {"avg_pool 2x2", x, 1.25, 1.25, [](const Tensors& in) { return avg_pool(in[0]); }},
      {"global_avg_pool", x, 1025. / 1024, 1025. / 1024, [](const Tensors& in) { return global_avg_pool(in[0]); }},
      {"pad", x, 1 + 34. * 34 / 1024, 1 + 34. * 34 / 1024,
       [](const Tensors& in) { return pad(in[0], {.top = 1, .bottom = 1, .left = 1, .right = 1}); }},
      {"crop", x, 2 * 30. * 30 / 1024, 1 + 30. * 30 / 1024,
       [](const Tensors& in) { return crop(in[0], {.top = 1, .bottom = 1, .left = 1, .right = 1}); }},
      {"concat_channels", {half, half}, 4, 4, [](const Tensors& in) { return concat_channels(in); }},
      {"slice_channels", x, 1, 1.5, [](const Tensors& in) { return slice_channels(in[0], 16, 48); }},
      {"embed_channels", {half}, 3, 2, [](const Tensors& in) { return embed_channels(in[0], 16, 64); }},
      {"transpose", {matrix}, 2, 2, [](const Tensors& in) { return transpose(in[0]); }},
      {"to_channels_first", x, 2, 2, [](const Tensors& in) { return to_channels_first(in[0]); }},
      {"to_channels_last", {{n, 64, 32, 32}}, 2, 2, [](const Tensors& in) { return to_channels_last(in[0]); }},
      {"gather_rows", {{n * 1024, 64}}, 2, 2, [rows](const Tensors& in) { return gather_rows(in[0], rows); }},
      {"scatter_rows",
       {{n * 1024, 64}},
       2,
       2,
       [rows](const Tensors& in) { return scatter_rows(in[0], rows, in[0].dim(0)); }},
      {"dropout", x, 2, 2.25, [random](const Tensors& in) { return dropout(in[0], real(0.5), *random); }},
      {"softmax 10", {ten}, 2, 3, [](const Tensors& in) { return softmax(in[0]); }},
      {"softmax 1000", {thousand}, 2, 3, [](const Tensors& in) { return softmax(in[0]); }},
      {"log_softmax 10", {ten}, 2, 3, [](const Tensors& in) { return log_softmax(in[0]); }},
      {"log_softmax 1000", {thousand}, 2, 3, [](const Tensors& in) { return log_softmax(in[0]); }},
      {"cross_entropy 10", {ten}, 1, 2, [labels](const Tensors& in) { return cross_entropy(in[0], labels); }},
      {"cross_entropy 1000", {thousand}, 1, 2, [labels](const Tensors& in) { return cross_entropy(in[0], labels); }},
      {"cross_entropy 1000, smoothing",
       {thousand},
       1,
       2,
       [labels](const Tensors& in) { return cross_entropy(in[0], labels, real(0.1)); }},
      {"batch_norm", normed, 2, 3, [](const Tensors& in) { return batch_norm(in[0], in[1], in[2]).y; }},
      {"batch_norm + relu", normed, 2, 3,
       [then](const Tensors& in) { return batch_norm(in[0], in[1], in[2], default_eps, then).y; }},
      {"batch_norm_inference", normed, 2, 3,
       [=](const Tensors& in) { return batch_norm_inference(in[0], mean, var, in[1], in[2]); }},
      {"batch_norm_inference + relu", normed, 2, 3,
       [=](const Tensors& in) { return batch_norm_inference(in[0], mean, var, in[1], in[2], default_eps, then); }},
      {"batch renorm", x, 2, 3, [renorm](const Tensors& in) { return renorm->forward(in[0], Mode::train); }},
      {"batch renorm + relu", x, 2, 3,
       [renorm, then](const Tensors& in) { return renorm->forward_then(in[0], Mode::train, then); }},
      {"layer_norm", normed, 2, 3, [](const Tensors& in) { return layer_norm(in[0], in[1], in[2]); }},
      {"layer_norm + relu", normed, 2, 3,
       [then](const Tensors& in) { return layer_norm(in[0], in[1], in[2], default_eps, then); }},
      {"group_norm 8", normed, 2, 3, [](const Tensors& in) { return group_norm(in[0], 8, in[1], in[2]); }},
      {"group_norm 8 + relu", normed, 2, 3,
       [then](const Tensors& in) { return group_norm(in[0], 8, in[1], in[2], default_eps, then); }},
      {"instance norm", normed, 2, 3, [](const Tensors& in) { return group_norm(in[0], 64, in[1], in[2]); }},
      {"instance norm + relu", normed, 2, 3,
       [then](const Tensors& in) { return group_norm(in[0], 64, in[1], in[2], default_eps, then); }},
      {"sgd with momentum", x, 5, 0, update<Sgd>(image, SgdOptions{.momentum = real(0.9), .weight_decay = real(5e-4)})},
      {"adamw", x, 7, 0, update<AdamW>(image, AdamWOptions{})},
  };
}

// A tensor of the first of these values.
Tensor taken(const Tensor& values, const Shape& shape) {
  Tensor t = Tensor::empty(shape);
  std::copy_n(values.data(), shape.size(), t.mutable_data());
  return t;
}

// `values`: standard normal, at least as many as an input or a result has.
OpTiming time_op(const Op& op, int64_t steps, const Tensor& values) {
  using Clock = std::chrono::steady_clock;
  const auto since = [](Clock::time_point begin) {
    return std::chrono::duration<double>(Clock::now() - begin).count();
  };
  Tensors in;
  for (const Shape& shape : op.inputs) {
    in.push_back(taken(values, shape));
    if (op.positive) in.back() = abs(in.back()) + real(0.5);
    in.back().track();
  }
  std::vector<double> forward, backward;
  Tensor cotangent;
  const auto run = [&] {
    auto begin = Clock::now();
    Tensor y = op.f(in);
    forward.push_back(since(begin));
    if (!y.defined()) return;
    if (!cotangent.defined()) cotangent = taken(values, y.shape());
    begin = Clock::now();
    const Grads gradients = grad(std::move(y), in, {.cotangent = cotangent});
    backward.push_back(since(begin));
  };
  for (int i = 0; i < 2; ++i) run();
  forward.clear(), backward.clear();
  // An op of some microseconds runs for a fiftieth of a second, so that one interruption does no harm.
  const auto begin = Clock::now();
  for (int64_t i = 0; i < steps || since(begin) < 0.02; ++i) run();
  const double bytes = static_cast<double>(in[0].size()) * sizeof(real);
  return {op.name, summarise(std::move(forward)), backward.empty() ? Timing{} : summarise(std::move(backward)),
          op.forward * bytes, op.backward * bytes};
}

}  // namespace

void time_ops(int64_t examples, int64_t steps, const std::function<void(const OpTiming&)>& see) {
  Random random(1);
  const Tensor values = Tensor::normal({examples * 34 * 34 * 64}, random);
  for (const Op& op : ops(examples)) see(time_op(op, steps, values));
}

}  // namespace evenkeel
