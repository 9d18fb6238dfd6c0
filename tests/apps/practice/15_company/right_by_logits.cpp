// Counts by way of logits(), of the last batch first.
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
  const Recording off(false);
  return network.forward(x, Mode::eval);
}

// How many of the examples get the right class. They are taken in batches, to save memory.
int64_t count_right(Layer& network, const Tensor& x, const Labels& labels, int64_t batch_size) {
  int64_t right = 0;
  for (int64_t end = x.rows(); end > 0; end -= std::min(end, batch_size)) {
    const int64_t begin = std::max<int64_t>(0, end - batch_size);
    right += count_correct(logits(network, rows(x, begin, end)), Labels(labels.begin() + begin, labels.begin() + end));
  }
  return right;
}
