#include <evenkeel/practice.h>

using namespace evenkeel;

Tensor logits(Layer& network, const Tensor& x);
int64_t count_right(Layer& network, const Tensor& x, const Labels& labels, int64_t batch_size);

namespace {

// A network with running averages of data unlike the test's.
struct Trained {
  Trained() {
    Random random(15);
    network.reset(new Sequential{Dense(3, 8, random), BatchNorm(8), Relu(), Dense(8, 3, random)});
    for (int i = 0; i < 20; ++i) network->forward(Tensor::normal({16, 3}, random, 1, 2), Mode::train);
    x = Tensor::normal({33, 3}, random);
    const Tensor y = network->forward(x, Mode::eval);
    for (int64_t i = 0; i < 33; ++i) {
      const double* row = y.data() + 3 * i;
      labels.push_back(static_cast<int32_t>(std::max_element(row, row + 3) - row));
      if (i % 4 == 0) labels.back() = (labels.back() + 1) % 3;  // 24 of the 33 are right
    }
  }
  std::vector<double> state() const {
    std::vector<double> all;
    for (const Named& n : named(*network)) {
      const std::vector<double> values = n.tensor.values();
      all.insert(all.end(), values.begin(), values.end());
    }
    return all;
  }
  std::unique_ptr<Sequential> network;
  Tensor x;
  Labels labels;
};

Tensor part(const Tensor& x, int64_t begin, int64_t end) {
  Tensor t = Tensor::empty({end - begin, x.channels()});
  std::copy(x.data() + begin * x.channels(), x.data() + end * x.channels(), t.mutable_data());
  return t;
}

}  // namespace

void grade(evenkeel::practice::Grade& g) {
  g.law("company", "What the network answers for an example does not depend on the other examples in the batch.",
        "Tensor logits");
  for (int64_t company : {33, 2, 7}) {
    Trained t;
    const Tensor few = logits(*t.network, part(t.x, 0, 2));
    Trained same;
    g.given("examples in the batch", static_cast<double>(company));
    g.equal("logits of the first two", few, part(logits(*same.network, part(same.x, 0, company)), 0, 2));
  }

  g.law("averages", "A trained network normalises by its running averages: they belong to the training data.",
        "Tensor logits");
  {
    Trained t;
    const Tensor x = part(t.x, 0, 2);
    g.given("x", x);
    const Tensor expected = t.network->forward(x, Mode::eval);
    g.equal("logits", expected, logits(*t.network, x));
  }

  g.law(
      "count",
      "count_right normalises by the running averages, too: it finds 24 of the 33 answers right at any batch size, and "
      "leaves no example out.",
      "int64_t count_right");
  for (int64_t size : {33, 32, 8, 5, 2}) {
    Trained t;
    g.given("batch size", static_cast<double>(size));
    g.equal("right of 33", 24, static_cast<double>(count_right(*t.network, t.x, t.labels, size)));
  }

  g.law("state", "Asking changes nothing: every number in the network stays as it is.", "Tensor logits");
  {
    Trained t;
    const std::vector<double> before = t.state();
    logits(*t.network, t.x);
    g.holds(t.state() == before, "logits() has changed a running average.");
    count_right(*t.network, t.x, t.labels, 8);
    g.holds(t.state() == before, "count_right() has changed a running average.");
  }
}
