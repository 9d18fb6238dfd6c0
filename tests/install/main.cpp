// A small network learns whether two coordinates have the same sign.
#include <evenkeel/evenkeel.h>

using namespace evenkeel;

int main() {
  Random random(1);
  const Tensor x = Tensor::normal({512, 2}, random), y = Tensor::empty({512, 1});
  for (int i = 0; i < 512; ++i) y.detach().data()[i] = x.data()[2 * i] * x.data()[2 * i + 1] > 0;
  const std::vector<Tensor> weights{Tensor::normal({2, 32}, random).track(), Tensor::normal({32, 1}, random, 0, 0.2).track()};
  for (int step = 0; step < 200; ++step) {
    const Tensor loss = mean(square(matmul(relu(matmul(x, weights[0])), weights[1]) - y));
    if (step % 50 == 0) fmt::print("loss {:.4f}\n", loss.item());
    const Grads g = grad(loss, weights);
    for (size_t i = 0; i < g.size(); ++i) weights[i].detach().copy_from(weights[i].detach() - g[i] * real(0.1));
  }
}
