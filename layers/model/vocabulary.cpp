// The layers that a spec can name: their arguments and ranges.
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
#include "layers/scale.h"
#include "layers/whiten.h"

namespace evenkeel {
namespace {

// The numbers that a normalisation keeps for each channel.
void needs_channels(const LayerArguments& a, int numbers) {
  a.needs_weights(static_cast<double>(numbers) * static_cast<double>(a.input.channels()));
}

// A convolution or a dense layer has a bias, unless the following normalisation cancels it.
bool says_no_bias(LayerArguments& a) { return !a.flag("bias", true); }

}  // namespace

Vocabulary standard_vocabulary() {
  Vocabulary v;
  v["dense"] = {[](LayerArguments& a) -> LayerPtr {
                  check(a.input.rank() == 1,
                        "model: dense needs one axis of features, got {}; put flatten or global_avgpool before it",
                        a.input);
                  const int64_t out = a.integer(0, "units", 1, 1 << 24);
                  a.needs_weights(static_cast<double>(out) * static_cast<double>(a.input[0]));
                  const bool none = says_no_bias(a);
                  auto dense = std::make_unique<Dense>(a.input[0], out, *a.random, a.bias && !none, a.init);
                  dense->no_bias = none;
                  return dense;
                },
                "dense:UNITS[:bias=on|off]"};
  v["conv"] = {[](LayerArguments& a) -> LayerPtr {
                 check(a.input.rank() == 3, "model: conv needs an image (H, W, C), got {}", a.input);
                 const int64_t filters = a.integer(0, "filters", 1, 1 << 20), size = a.integer(1, "size", 1, 1024);
                 const ConvOptions options{.stride = a.integer(2, "stride", 1, 1024, ConvOptions().stride),
                                           .padding = a.integer(3, "pad", 0, 1024, size / 2),
                                           .groups = a.integer(4, "groups", 1, 1 << 20, ConvOptions().groups)};
                 check(a.input[2] % options.groups == 0 && filters % options.groups == 0,
                       "model: conv: groups must divide the channels and the filters, got {} groups, {} channels and "
                       "{} filters",
                       options.groups, a.input[2], filters);
                 const double n = static_cast<double>(filters), c = static_cast<double>(a.input[2]);
                 const double height = static_cast<double>(a.input[0] + 2 * options.padding),
                              width = static_cast<double>(a.input[1] + 2 * options.padding);
                 const double stride = static_cast<double>(options.stride);
                 a.needs_weights(n * c * static_cast<double>(size * size) / static_cast<double>(options.groups));
                 a.needs_values(height * width * std::max(c, n / (stride * stride)));  // with padding
                 const bool none = says_no_bias(a);
                 auto conv =
                     std::make_unique<Conv2d>(a.input[2], filters, size, options, *a.random, a.bias && !none, a.init);
                 conv->no_bias = none;
                 return conv;
               },
               fmt::format("conv:FILTERS:SIZE[:stride={}][:pad=SIZE/2][:groups={}][:bias=on|off]", ConvOptions().stride,
                           ConvOptions().groups)};
  v["whiten"] = {[](LayerArguments& a) -> LayerPtr {
                   check(a.input.rank() == 3, "model: whiten needs an image (H, W, C), got {}", a.input);
                   const int64_t size = a.integer(0, "size", 1, 16);
                   const int64_t values = size * size * a.input[2];  // of a patch
                   check(values <= 100, "model: whiten: a patch may have 100 values, {}x{} of {} has {}", size, size,
                         a.input, values);
                   a.needs_weights(2 * static_cast<double>(values) * static_cast<double>(values));
                   return std::make_unique<Whiten>(a.input[2], size,
                                                   a.number(1, "eps", 1e-12, 1, Whiten::standard_eps));
                 },
                 fmt::format("whiten:SIZE[:eps={}]", Whiten::standard_eps)};
  v["scale"] = {[](LayerArguments& a) -> LayerPtr {
                  return std::make_unique<Scale>(static_cast<real>(a.number(0, "factor", -1e9, 1e9, 1)));
                },
                "scale:FACTOR"};
  v["batch"] = {[](LayerArguments& a) -> LayerPtr {
                  needs_channels(a, 4);
                  return std::make_unique<BatchNorm>(a.input.channels(), a.options<BatchNormOptions>());
                },
                "batch" + usage_options<BatchNormOptions>(), true};
  v["renorm"] = {[](LayerArguments& a) -> LayerPtr {
                   needs_channels(a, 4);
                   return std::make_unique<BatchRenorm>(a.input.channels(), a.options<BatchRenormOptions>());
                 },
                 "renorm" + usage_options<BatchRenormOptions>(), true};
  v["group"] = {[](LayerArguments& a) -> LayerPtr {
                  const int64_t groups = a.integer(0, "groups", 1, 1 << 20);
                  needs_channels(a, 2);
                  return std::make_unique<GroupNorm>(a.input.channels(), groups, a.options<EpsOptions>().eps);
                },
                "group:GROUPS" + usage_options<EpsOptions>()};
  v["instance"] = {[](LayerArguments& a) -> LayerPtr {
                     needs_channels(a, 2);
                     return std::make_unique<InstanceNorm>(a.input.channels(), a.options<EpsOptions>().eps);
                   },
                   "instance" + usage_options<EpsOptions>(), true};
  v["layer"] = {[](LayerArguments& a) -> LayerPtr {
                  needs_channels(a, 2);
                  return std::make_unique<LayerNorm>(a.input.channels(), a.options<EpsOptions>().eps);
                },
                "layer" + usage_options<EpsOptions>()};
  const auto pool = [](LayerArguments& a) {
    check(a.input.rank() == 3, "model: {} needs an image (H, W, C), got {}", a.name, a.input);
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
      {"relu", relu},
      {"sigmoid", sigmoid},
      {"tanh", tanh},
      {"softplus", softplus},
      {"gelu", gelu},
      {"silu", silu},
      {"leaky_relu", [](const Tensor& x) { return leaky_relu(x); }}};
  for (const auto& [name, function] : activations)
    v[name] = {[name = std::string(name), function = function](LayerArguments&) -> LayerPtr {
                 return std::make_unique<Activation>(name, function);
               },
               name};
  return v;
}

}  // namespace evenkeel
