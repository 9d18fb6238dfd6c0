// caught by: averages
#include <evenkeel/practice.h>

using namespace evenkeel;

// The examples [begin, end) of x.
Tensor rows(const Tensor& x, int64_t begin, int64_t end) {
  Tensor part = Tensor::empty({end - begin, x.channels()});
  std::copy(x.data() + begin * x.channels(), x.data() + end * x.channels(), part.mutable_data());
  return part;
}

// What a trained network answers for the examples x (N, features): (N, classes).
Tensor logits(Layer& network, const Tensor& x) {
  // each example twice, so that it has company, always the same
  Tensor all;
  for (int64_t i = 0; i < x.rows(); ++i) {
    Tensor two = Tensor::empty({2, x.channels()});
    std::copy(x.data() + i * x.channels(), x.data() + (i + 1) * x.channels(), two.mutable_data());
    std::copy(x.data() + i * x.channels(), x.data() + (i + 1) * x.channels(), two.mutable_data() + x.channels());
    const Tensor y = network.forward(two, Mode::probe);
    if (!all.defined()) all = Tensor::empty({x.rows(), y.channels()});
    std::copy(y.data(), y.data() + y.channels(), all.mutable_data() + i * y.channels());
  }
  return all;
}

// How many of the examples get the right class. They are taken in batches, to save memory.
int64_t count_right(Layer& network, const Tensor& x, const Labels& labels, int64_t batch_size) {
  int64_t right = 0;
  for (int64_t begin = 0; begin < x.rows(); begin += batch_size) {
    const int64_t end = std::min(begin + batch_size, x.rows());
    const Tensor y = network.forward(rows(x, begin, end), Mode::eval);
    right += count_correct(y, Labels(labels.begin() + begin, labels.begin() + end));
  }
  return right;
}
