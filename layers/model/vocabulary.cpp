// The layers that a spec can name: their arguments, and what these may be.
#include <algorithm>

#include "layers/activation.h"
#include "layers/conv2d.h"
#include "layers/dense.h"
#include "layers/dropout.h"
#include "layers/model/spec.h"
#include "layers/norm/batch_norm.h"
#include "layers/norm/batch_renorm.h"
#include "layers/norm/group_norm.h"
#include "layers/norm/layer_norm.h"
#include "layers/pooling.h"

namespace evenkeel {
namespace {

real eps_of(LayerArguments& a, real otherwise) {
  return static_cast<real>(a.number(SIZE_MAX, "eps", 1e-30, 1, otherwise));
}

// A normalisation keeps so many numbers for each channel.
void needs_channels(const LayerArguments& a, int numbers) {
  a.needs_weights(static_cast<double>(numbers) * static_cast<double>(a.input.channels()));
}

}  // namespace

Vocabulary standard_vocabulary() {
  Vocabulary v;
  v["dense"] = {[](LayerArguments& a) -> LayerPtr {
                  check(a.input.rank() == 1,
                        "model: dense needs one axis of features, got {}; put flatten or global_avgpool before it",
                        a.input);
                  const int64_t out = a.integer(0, "units", 1, 1 << 24);
                  a.needs_weights(static_cast<double>(out) * static_cast<double>(a.input[0]));
                  return std::make_unique<Dense>(a.input[0], out, *a.random, a.bias, a.init);
                },
                "dense:UNITS"};
  v["conv"] = {[](LayerArguments& a) -> LayerPtr {
                 check(a.input.rank() == 3, "model: conv needs an image (H, W, C), got {}", a.input);
                 const int64_t filters = a.integer(0, "filters", 1, 1 << 20), size = a.integer(1, "size", 1, 1024);
                 const ConvOptions options{.stride = a.integer(2, "stride", 1, 1024, ConvOptions().stride),
                                           .padding = a.integer(3, "pad", 0, 1024, size / 2)};
                 const double n = static_cast<double>(filters), c = static_cast<double>(a.input[2]);
                 const double height = static_cast<double>(a.input[0] + 2 * options.padding),
                              width = static_cast<double>(a.input[1] + 2 * options.padding);
                 const double stride = static_cast<double>(options.stride);
                 a.needs_weights(n * c * static_cast<double>(size * size));
                 a.needs_values(height * width * std::max(c, n / (stride * stride)));  // with the zeros around it
                 return std::make_unique<Conv2d>(a.input[2], filters, size, options, *a.random, a.bias, a.init);
               },
               fmt::format("conv:FILTERS:SIZE[:stride={}][:pad=SIZE/2]", ConvOptions().stride)};
  // Defaults are those of the structs, in what is built and in what is said.
  const BatchNormOptions batch;
  v["batch"] = {
      [](LayerArguments& a) -> LayerPtr {
        BatchNormOptions o;
        o.eps = eps_of(a, o.eps);
        o.new_weight = a.number(SIZE_MAX, "new", 1e-9, 1, o.new_weight);
        o.cumulative = a.word(SIZE_MAX, "average", {"exponential", "cumulative"},
                              o.cumulative ? "cumulative" : "exponential") == "cumulative";
        o.unbiased =
            a.word(SIZE_MAX, "variance", {"unbiased", "biased"}, o.unbiased ? "unbiased" : "biased") == "unbiased";
        o.affine = a.flag("affine", o.affine);
        o.frozen = a.flag("frozen", o.frozen);
        o.ghost = a.integer(SIZE_MAX, "ghost", 0, 1 << 20, o.ghost);
        needs_channels(a, 4);
        return std::make_unique<BatchNorm>(a.input.channels(), o);
      },
      fmt::format("batch[:eps={}][:new={}][:average=exponential|cumulative][:variance=unbiased|biased][:affine=on|off]"
                  "[:frozen=off|on][:ghost={}]",
                  batch.eps, batch.new_weight, batch.ghost),
      true};
  const BatchRenormOptions renorm;
  v["renorm"] = {[](LayerArguments& a) -> LayerPtr {
                   BatchRenormOptions o;
                   o.eps = eps_of(a, o.eps);
                   o.new_weight = a.number(SIZE_MAX, "new", 1e-9, 1, o.new_weight);
                   o.r_max = a.number(SIZE_MAX, "rmax", 1, 1e6, o.r_max);
                   o.d_max = a.number(SIZE_MAX, "dmax", 0, 1e6, o.d_max);
                   o.start = a.integer(SIZE_MAX, "start", 0, int64_t{1} << 40, o.start);
                   o.r_end = a.integer(SIZE_MAX, "rend", 0, int64_t{1} << 40, o.r_end);
                   o.d_end = a.integer(SIZE_MAX, "dend", 0, int64_t{1} << 40, o.d_end);
                   needs_channels(a, 4);
                   return std::make_unique<BatchRenorm>(a.input.channels(), o);
                 },
                 fmt::format("renorm[:eps={}][:new={}][:rmax={}][:dmax={}][:start={}][:rend={}][:dend={}]", renorm.eps,
                             renorm.new_weight, renorm.r_max, renorm.d_max, renorm.start, renorm.r_end, renorm.d_end),
                 true};
  const std::string eps = fmt::format("[:eps={}]", NormOptions().eps);
  v["group"] = {[](LayerArguments& a) -> LayerPtr {
                  const int64_t groups = a.integer(0, "groups", 1, 1 << 20);
                  needs_channels(a, 2);
                  return std::make_unique<GroupNorm>(a.input.channels(), groups, eps_of(a, NormOptions().eps));
                },
                "group:GROUPS" + eps};
  v["instance"] = {[](LayerArguments& a) -> LayerPtr {
                     needs_channels(a, 2);
                     return std::make_unique<InstanceNorm>(a.input.channels(), eps_of(a, NormOptions().eps));
                   },
                   "instance" + eps, true};
  v["layer"] = {[](LayerArguments& a) -> LayerPtr {
                  needs_channels(a, 2);
                  return std::make_unique<LayerNorm>(a.input.channels(), eps_of(a, NormOptions().eps));
                },
                "layer" + eps};
  const auto pool = [](LayerArguments& a) {
    check(a.input.rank() == 3, "model: {} needs an image (H, W, C), got {}", a.layer, a.input);
    PoolOptions o;
    o.size = a.integer(0, "size", 1, 1024, o.size);
    o.stride = a.integer(1, "stride", 1, 1024, o.size);
    o.padding = a.integer(2, "pad", 0, o.size / 2, o.padding);
    return o;
  };
  const std::string window =
      fmt::format("[:SIZE={}][:stride=SIZE][:pad={}]", PoolOptions().size, PoolOptions().padding);
  v["maxpool"] = {[pool](LayerArguments& a) -> LayerPtr { return std::make_unique<MaxPool>(pool(a)); },
                  "maxpool" + window};
  v["avgpool"] = {[pool](LayerArguments& a) -> LayerPtr { return std::make_unique<AvgPool>(pool(a)); },
                  "avgpool" + window};
  v["global_avgpool"] = {[](LayerArguments&) -> LayerPtr { return std::make_unique<GlobalAvgPool>(); },
                         "global_avgpool"};
  v["flatten"] = {[](LayerArguments&) -> LayerPtr { return std::make_unique<Flatten>(); }, "flatten"};
  v["dropout"] = {[](LayerArguments& a) -> LayerPtr {
                    const double p = a.number(0, "probability", 0, 0.999, 0.5);
                    return std::make_unique<Dropout>(static_cast<real>(p), *a.random);
                  },
                  "dropout[:PROBABILITY=0.5]"};
  v["residual"] = {
      [](LayerArguments& a) -> LayerPtr {
        check(static_cast<bool>(a.body), "model: residual needs its layers in parentheses");
        auto body = a.body();
        const Shape &in = a.input, &out = a.body_output;
        if (in == out) return std::make_unique<Residual>(std::move(body));
        const int64_t stride = in.rank() == 3 && out.rank() == 3 ? (in[0] + out[0] - 1) / out[0] : 0;
        check(
            stride > 0 && (in[0] - 1) / stride + 1 == out[0] && (in[1] - 1) / stride + 1 == out[1] && out[2] >= in[2],
            "model: residual has no shortcut from {} to {}; its layers may take strides and add channels, nothing else",
            in, out);
        return std::make_unique<Residual>(std::move(body), stride, out[2]);
      },
      "residual(LAYERS)"};
  const std::pair<const char*, Activation::Function> activations[] = {
      {"relu", relu},         {"sigmoid", sigmoid}, {"tanh", tanh},
      {"softplus", softplus}, {"gelu", gelu},       {"leaky_relu", [](const Tensor& x) { return leaky_relu(x); }}};
  for (const auto& [name, function] : activations)
    v[name] = {[name = std::string(name), function = function](LayerArguments&) -> LayerPtr {
                 return std::make_unique<Activation>(name, function);
               },
               name};
  return v;
}

}  // namespace evenkeel
