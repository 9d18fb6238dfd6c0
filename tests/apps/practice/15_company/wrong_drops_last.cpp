// caught by: count
#include <evenkeel/practice.h>

using namespace evenkeel;

// The examples [begin, end) of x.
Tensor rows(const Tensor& x, int64_t begin, int64_t end) {
  Tensor part = Tensor::empty({end - begin, x.channels()});
  std::copy(x.data() + begin * x.channels(), x.data() + end * x.channels(), part.mutable_data());
  return part;
}

// What a trained network answers for the examples x (N, features): (N, classes).
Tensor logits(Layer& network, const Tensor& x) { return network.forward(x, Mode::eval); }

// How many of the examples get the right class. They are taken in batches, to save memory.
int64_t count_right(Layer& network, const Tensor& x, const Labels& labels, int64_t batch_size) {
  int64_t right = 0;
  for (int64_t begin = 0; begin + batch_size <= x.rows(); begin += batch_size) {
    const int64_t end = begin + batch_size;
    right += count_correct(network.forward(rows(x, begin, end), Mode::eval),
                           Labels(labels.begin() + begin, labels.begin() + end));
  }
  return right;
}
