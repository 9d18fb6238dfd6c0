#include <evenkeel/practice.h>

using namespace evenkeel;

void train_network(Layer& network, const Dataset& data);

namespace {

// Four classes of 6 pixels each, one class after the other.
Dataset examples(int64_t each, uint64_t seed) {
  constexpr int pattern[4][6] = {{1, 1, 0, 0, -1, 0}, {-1, 0, 1, 0, 0, 1}, {0, -1, -1, 1, 0, 0}, {0, 0, 0, -1, 1, -1}};
  Dataset data{.name = "sorted", .image = {1, 1, 6}, .classes = 4};
  Random random(seed);
  for (int32_t label = 0; label < 4; ++label)
    for (int64_t i = 0; i < each; ++i) {
      data.labels.push_back(label);
      const Tensor noise = Tensor::normal({6}, random, 0, 20);
      for (int k = 0; k < 6; ++k)
        data.pixels.push_back(
            static_cast<uint8_t>(std::clamp(128 + 40 * pattern[label][k] + noise.data()[k], 0.0, 255.0)));
    }
  return data;
}

Batch whole(const Dataset& data, const Normalization& measured) {
  Loader loader(data, measured, {.batch_size = data.size(), .shuffle = false, .background = false});
  loader.begin_epoch(0);
  Batch all;
  loader.next(all);
  return all;
}

}  // namespace

void grade(evenkeel::practice::Grade& g) {
  const std::string look = "void train_network";
  const Dataset data = examples(320, 1), test = examples(64, 2);
  Random random(1);
  Sequential network{Flatten(), Dense(6, 16, random), BatchNorm(16), Relu(), Dense(16, 4, random)};
  train_network(network, data);
  const Batch train = whole(data, measure(data)), fresh = whole(test, measure(data));

  g.law("accuracy",
        "In Mode::eval at least 95 % of the examples get the right class: of those trained on, and of new ones.", look);
  const auto accuracy = [&](const Batch& b, Mode mode) {
    return static_cast<double>(count_correct(network.forward(b.x, mode), b.labels)) / static_cast<double>(b.x.dim(0));
  };
  std::vector<double> each;
  for (int64_t k = 0; k < 4; ++k) {
    std::vector<int64_t> of_class(320);
    std::iota(of_class.begin(), of_class.end(), 320 * k);
    const Batch one = whole(take(data, of_class), measure(data));
    each.push_back(accuracy(one, Mode::eval));
  }
  g.given("accuracy in each class", each);
  g.given("accuracy on examples trained on, on new ones", {accuracy(train, Mode::eval), accuracy(fresh, Mode::eval)});
  g.holds(accuracy(train, Mode::eval) >= 0.95 && accuracy(fresh, Mode::eval) >= 0.95, "It is less.");

  g.law("averages", "The running averages are near the mean and the variance of all the data.", look);
  RunningNorm& norm = *running_norms(network)[0].second;
  Population population;
  norm.watch = [&](const Tensor& x) { population.add(x); };
  network.forward(train.x, Mode::probe);
  norm.watch = nullptr;
  const RunningNorm::Statistics running = norm.statistics();
  const Tensor spread = sqrt(population.var());
  g.given("running mean", running.mean);
  g.given("mean of the data", population.mean());
  g.given("running variance", running.var);
  g.given("variance of the data", population.var());
  for (int64_t c = 0; c < 16; ++c) {
    const double gap = std::abs(running.mean.data()[c] - population.mean().data()[c]) / spread.data()[c];
    const double ratio = running.var.data()[c] / population.var().data()[c];
    g.holds(gap < 0.5 && ratio > 0.5 && ratio < 2, "In channel " + std::to_string(c) + " they are not.");
  }
}
