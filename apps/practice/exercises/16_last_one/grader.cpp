#include <evenkeel/practice.h>

using namespace evenkeel;

int64_t train_epoch(Layer& network, Sgd& sgd, const Dataset& data, int64_t epoch);

namespace {

// n images of two pixels, no two alike; the class is whether the first one is bright.
Dataset examples(int64_t n) {
  Dataset data{.name = "examples", .image = {1, 1, 2}, .classes = 2};
  for (int64_t i = 0; i < n; ++i) {
    const int64_t pixel = (i * 97 + 13) % 251;
    data.pixels.push_back(static_cast<uint8_t>(pixel));
    data.pixels.push_back(static_cast<uint8_t>((i * 31) % 251));
    data.labels.push_back(pixel > 125);
  }
  return data;
}

// Stands in front of the network, and sees what it is given.
struct Watcher : Layer {
  Tensor forward(const Tensor& x, Mode mode) override {
    if (watching) {
      sizes.push_back(static_cast<double>(x.rows()));
      for (int64_t i = 0; mode == Mode::train && i < x.rows(); ++i) seen.push_back(x.data()[x.channels() * i]);
    }
    return x;
  }
  std::string describe() const override { return "watcher"; }
  std::vector<double> sizes, seen;
  bool watching = true;
};

struct Run {
  explicit Run(int64_t n, int64_t epochs = 1) : data(examples(n)) {
    Random random(16);
    auto in_front = std::make_unique<Watcher>();
    watcher = in_front.get();
    network.add(std::make_unique<Flatten>());
    network.add(std::move(in_front));
    network.add(std::make_unique<Dense>(2, 8, random));
    network.add(std::make_unique<BatchNorm>(8));
    network.add(std::make_unique<Relu>());
    network.add(std::make_unique<Dense>(8, 2, random));
    Sgd sgd(parameters(network), {.lr = 0.1});
    for (int64_t epoch = 1; epoch <= epochs; ++epoch) used = train_epoch(network, sgd, data, epoch);
    watcher->watching = false;
  }
  int64_t distinct() const {
    std::vector<double> sorted = watcher->seen;
    std::sort(sorted.begin(), sorted.end());
    return std::unique(sorted.begin(), sorted.end()) - sorted.begin();
  }
  Dataset data;
  Sequential network;
  Watcher* watcher;
  int64_t used = 0;
};

int64_t usable(int64_t n) { return n % 8 == 1 ? n - 1 : n; }

}  // namespace

void grade(evenkeel::practice::Grade& g) {
  const std::string look = "int64_t train_epoch";
  g.law("ends", "An epoch over 33 examples in batches of 8 ends without an error.", look);
  const Run run(33);
  g.holds(!run.watcher->sizes.empty(), "No batch was given to the network.");

  g.law("alone", "No batch of a single example is given to the network: it has no variance to normalise with.", look);
  g.given("examples in each batch", run.watcher->sizes);
  g.holds(*std::min_element(run.watcher->sizes.begin(), run.watcher->sizes.end()) > 1,
          "The network was given a batch of one example.");

  g.law("once", "No example is used twice in an epoch.", look);
  g.given("examples in each batch", run.watcher->sizes);
  g.equal("different examples", static_cast<double>(run.watcher->seen.size()), static_cast<double>(run.distinct()));

  g.law("size", "The batch size stays 8: every batch but the last has 8 examples.", look);
  g.given("examples in each batch", run.watcher->sizes);
  g.holds(std::all_of(run.watcher->sizes.begin(), run.watcher->sizes.end() - 1, [](double n) { return n == 8; }) &&
              run.watcher->sizes.back() <= 8,
          "One of them has another size.");

  g.law("returned", "train_epoch returns how many examples it used. One that is left out does not count.", look);
  g.given("examples", 33);
  g.given("examples in each batch", run.watcher->sizes);
  g.equal("what train_epoch returned", static_cast<double>(run.distinct()), static_cast<double>(run.used));

  g.law("others",
        "Only an example that would be alone is left out. A short last batch of 2 or more is used, and counted.", look);
  for (int64_t n : {35, 32, 34, 39}) {
    const Run other(n);
    g.given("examples", static_cast<double>(n));
    g.given("examples in each batch", other.watcher->sizes);
    g.equal("examples used", static_cast<double>(n), static_cast<double>(other.distinct()));
    g.equal("what train_epoch returned", static_cast<double>(n), static_cast<double>(other.used));
  }

  g.law("any number", "All these laws hold for any number of examples, in batches of 8.", look);
  for (int64_t n = 2; n <= 42; ++n) {
    g.given("examples", static_cast<double>(n));
    const Run other(n);
    g.equal("examples used", static_cast<double>(usable(n)), static_cast<double>(other.distinct()));
    g.equal("what train_epoch returned", static_cast<double>(usable(n)), static_cast<double>(other.used));
  }

  g.law("learns", "After 40 epochs the network gets at least 30 of the 33 examples right.", look);
  Run trained(33, 40);
  Loader loader(trained.data, measure(trained.data), {.batch_size = 33, .shuffle = false, .background = false});
  loader.begin_epoch(0);
  Batch all;
  loader.next(all);
  const int64_t right = count_correct(trained.network.forward(all.x, Mode::eval), all.labels);
  g.given("right answers", static_cast<double>(right));
  g.holds(right >= 30, "It gets fewer right.");
}
