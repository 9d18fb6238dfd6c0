#include <evenkeel/practice.h>

using namespace evenkeel;
using evenkeel::practice::Grade;

Conv2d fold(const Conv2d& conv, const BatchNorm& norm);

namespace {

struct Pair {
  Pair(int64_t channels, int64_t filters, const ConvOptions& options, bool with_bias, uint64_t seed)
      : random(seed), conv(channels, filters, 3, options, random, with_bias), norm(filters, {.eps = 0.05}) {
    if (with_bias) conv.bias = Tensor::normal({filters}, random, 1);
    norm.gamma = Tensor::normal({filters}, random, 1);
    norm.beta = Tensor::normal({filters}, random);
    norm.set_statistics(Tensor::normal({filters}, random, 0, 2), Tensor::uniform({filters}, random, 0.01, 2), 1e9);
    x = Tensor::normal({1, 4, 4, channels}, random);
  }
  Tensor both() { return norm.forward(conv.forward(x, Mode::eval), Mode::eval).detach(); }
  Random random;
  Conv2d conv;
  BatchNorm norm;
  Tensor x;
};

void same_logits(Grade& g, Pair p) {
  const int64_t K = p.norm.gamma.size();
  const Tensor expected = reshape(p.both(), {p.both().size() / K, K});
  Conv2d folded = fold(p.conv, p.norm);
  g.given("gamma", p.norm.gamma);
  g.given("beta", p.norm.beta);
  g.given("running_mean", p.norm.running_mean);
  g.given("running_var", p.norm.running_var);
  g.given("eps", p.norm.options.eps);
  if (p.conv.bias.defined()) g.given("bias of the convolution", p.conv.bias);
  if (folded.bias.defined()) g.given("bias of yours", folded.bias);
  g.equal("pixels of y, a column a filter", expected,
          reshape(folded.forward(p.x, Mode::eval).detach(), expected.shape()), 1e-12);
}

}  // namespace

void grade(Grade& g) {
  g.law("scale",
        "Where running_mean, beta and the convolution's bias are 0, folding multiplies the weights of each filter by "
        "gamma / sqrt(running_var + eps).");
  Pair centred(3, 2, {}, false, 20);
  centred.norm.beta = Tensor::zeros({2});
  centred.norm.set_statistics(Tensor::zeros({2}), centred.norm.running_var, 1e9);
  same_logits(g, centred);

  g.law("no bias",
        "A convolution without a bias has one after folding, from running_mean and beta: it computes what convolution "
        "and norm compute.");
  same_logits(g, Pair(3, 2, {}, false, 20));

  g.law("bias", "A convolution with a bias, folded, computes what both compute: its bias goes through the norm, too.");
  same_logits(g, Pair(3, 2, {}, true, 21));

  g.law("any shape", "It holds for any stride, padding, numbers of channels and filters.");
  same_logits(g, Pair(1, 3, {.stride = 2, .padding = 1}, true, 22));
  same_logits(g, Pair(3, 3, {.padding = 1}, true, 23));
  same_logits(g, Pair(4, 1, {.stride = 1, .padding = 1}, false, 24));

  g.law("original", "The convolution and the norm that were given stay as they are.");
  Pair p(3, 2, {}, true, 25);
  const Tensor before = p.both();
  fold(p.conv, p.norm);
  g.equal("what both compute", reshape(before, {4, 2}), reshape(p.both(), {4, 2}), 1e-15);
}
