// The README's two examples of extending: an op of one's own and a layer of one's own, each checked by one line.
#include "tests/check_layer.h"

// [op]
using namespace evenkeel;

// swish(x) = x sigmoid(x) (Ramachandran et al. 2017): its value, and how a gradient g is pulled back through it.
Tensor swish(const Tensor& x) {
  return unary(
      x, [](real v) { return v * sigmoid(v); },
      [](auto v, auto, auto g) {
        const auto s = sigmoid(v);
        return g * (s + v * s * (1 - s));
      });
}
TEST_CASE("swish") { check_grad([](const Inputs& x) { return swish(x[0]); }, {random({3, 4})}, 3); }
// [/op]

// [layer]
// y = alpha x where x < 0, x elsewhere, with one learned alpha a channel (He et al. 2015).
struct PRelu : Layer {
  explicit PRelu(int64_t channels) : alpha(Tensor::full({channels}, real(0.25)).track()) {}
  Tensor forward(const Tensor& x, Mode) override { return relu(x) - scale_per_channel(relu(-x), alpha); }
  void visit(Visitor& v) override { v.parameter("alpha", alpha, false); }
  std::string describe() const override { return "prelu"; }
  Owned alpha;
};
TEST_CASE("prelu") { check_layer(PRelu(4), random_off_zero({3, 4})); }
// [/layer]
