// Every number that a training run leaves behind, computed again by loops of the test's own: the learning rate from its
// formula, the steps and the losses by the library's operations.
#include <doctest/doctest.h>
#include <fmt/core.h>

#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <numbers>
#include <sstream>
#include <tuple>

#include "apps/formats/network_file.h"
#include "apps/train/options.h"
#include "data/catalogue/load.h"
#include "data/loader.h"
#include "optim/clip.h"
#include "optim/named_optimizers.h"
#include "tests/apps/process.h"
#include "tests/apps/tiny_data.h"

using namespace evenkeel;

namespace {

constexpr int64_t all_epochs = 3;

Arguments as_words(const TrainOptions& o) {
  Arguments a{"train",     "--data", "mnist", "--data-dir", o.data_dir, "--epochs", std::to_string(o.epochs),
              "--threads", "2"};
  const auto number = [&](const char* name, double value) { a = a + Arguments{name, fmt::format("{}", value)}; };
  number("--validation", static_cast<double>(o.validation));
  number("--batch-size", static_cast<double>(o.batch_size));
  if (o.lr > 0) number("--lr", o.lr);
  number("--warmup", o.warmup);
  number("--clip", o.clip);
  number("--label-smoothing", o.label_smoothing);
  number("--seed", static_cast<double>(o.model.seed));
  if (o.augment.on) a.emplace_back("--augment");
  return a + Arguments{"--optimizer", o.optimizer,  "--schedule",   o.schedule,         "--model", o.model.model,
                       "--norm",      o.model.norm, "--activation", o.model.activation, "--init",  o.model.init};
}

struct Judged {
  double loss = 0;
  int64_t correct = 0;
};

// All images at once, one by one in double: no batches, no short last one.
Judged whole(Layer& network, const Dataset& data, const Normalization& n) {
  const Recording off(false);
  Tensor x = Tensor::empty({data.size(), data.image[0], data.image[1], data.image[2]});
  for (int64_t i = 0; i < x.size(); ++i)
    x.mutable_data()[i] = (static_cast<real>(data.pixels[static_cast<size_t>(i)]) - n.mean[0]) / n.deviation[0];
  const Tensor logits = network.forward(x, Mode::eval);
  Judged part;
  for (int64_t i = 0; i < data.size(); ++i) {
    const real *row = logits.data() + i * logits.channels(), *end = row + logits.channels(),
               *best = std::max_element(row, end);
    double sum = 0;
    for (const real* v = row; v < end; ++v) sum += std::exp(static_cast<double>(*v) - *best);
    part.loss += (std::log(sum) - (row[data.labels[static_cast<size_t>(i)]] - static_cast<double>(*best))) /
                 static_cast<double>(data.size());
    part.correct += best - row == data.labels[static_cast<size_t>(i)];
  }
  return part;
}

struct Expected {
  double lr, train_loss, train_accuracy;
  Judged test, validation;
  std::vector<StoredTensor> tensors;  // all that belongs to the network, after the epoch
};

struct Reference {
  std::vector<Expected> rows;
  std::vector<Parameter> optimizer;
  Normalization normalization;
  int64_t parameters = 0, training = 0, clipped = 0;
};

// The run, by a loop of its own. lr: the rate of step 0, 1, ...
Reference reference(const TrainOptions& o, const std::function<double(int64_t)>& lr) {
  const DataSplit split = load_dataset("mnist", o.data_dir);
  Dataset train = split.train, validation;
  if (o.validation) {
    Random random = Random(o.model.seed).split("validation");
    std::tie(train, validation) = hold_out(train, o.validation, random);
  }
  Reference r;
  double mean = 0, variance = 0;
  for (uint8_t p : train.pixels) mean += p / static_cast<double>(train.pixels.size());
  for (uint8_t p : train.pixels) variance += (p - mean) * (p - mean) / static_cast<double>(train.pixels.size());
  r.normalization = {{static_cast<float>(mean)}, {static_cast<float>(std::sqrt(variance))}};
  r.training = train.size();

  ModelOptions model = o.model;
  model.input = {28, 28, 1};
  model.classes = 10;
  const auto network = make_model(model);
  r.parameters = parameter_count(*network);
  const std::vector<Tensor> w = values(parameters(*network));
  const std::unique_ptr<Optimizer> optimizer = make_optimizer(o.optimizer, parameters(*network));
  Loader loader(train, r.normalization, {.batch_size = o.batch_size, .augment = o.augment.on, .seed = o.model.seed});
  int64_t t = 0;
  for (int64_t epoch = 1; epoch <= o.epochs; ++epoch) {
    double loss_sum = 0, correct = 0;
    int64_t seen = 0;
    loader.begin_epoch(epoch);
    for (Batch batch; loader.next(batch); ++t) {
      const Tensor logits = network->forward(batch.x, Mode::train);
      const Tensor loss = cross_entropy(logits, batch.labels, static_cast<real>(o.label_smoothing));
      const auto n = static_cast<int64_t>(batch.labels.size());
      loss_sum += loss.item() * static_cast<double>(n);
      correct += static_cast<double>(count_correct(logits, batch.labels));
      seen += n;
      Grads g = grad(loss, w);
      if (o.clip > 0) r.clipped += clip_by_global_norm(g, o.clip) > o.clip;
      optimizer->set_lr(static_cast<real>(lr(t)));
      optimizer->step(g);
    }
    CHECK(seen == train.size());
    r.rows.push_back({lr(t - 1), loss_sum / static_cast<double>(seen), correct / static_cast<double>(seen),
                      whole(*network, split.test, r.normalization),
                      o.validation ? whole(*network, validation, r.normalization) : Judged{},
                      capture(*network).tensors});
  }
  r.optimizer = optimizer->state();
  return r;
}

std::vector<std::vector<std::string>> table(const std::string& text, char separator) {
  std::vector<std::vector<std::string>> rows;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    rows.emplace_back();
    std::istringstream cells(line);
    for (std::string cell; std::getline(cells, cell, separator);)
      if (!cell.empty()) rows.back().push_back(cell);
  }
  return rows;
}

// The same number, of which `text` has so many digits (decimals of an accuracy, significant digits of a loss).
bool near(const std::string& text, double expected, double slack) {
  return std::abs(std::stod(text) - expected) <= slack * (1 + std::abs(expected));
}

struct Variant {
  const char* what;
  TrainOptions options;
  std::function<double(int64_t)> lr;
};

// 100 images in batches of 64: two steps an epoch, six in all.
std::vector<Variant> variants() {
  const auto options = [](const std::function<void(TrainOptions&)>& set) {
    TrainOptions o;
    o.epochs = all_epochs, o.model.model = "flatten dense:12 norm act dense:classes";
    set(o);
    return o;
  };
  const auto after_warmup = [](int64_t t) {
    return 0.05 * (1 + std::cos(std::numbers::pi * static_cast<double>(t - 2) / 4));
  };
  return {
      {"cosine after a warm-up of an epoch",
       options([](TrainOptions& o) { o.lr = 0.1, o.schedule = "cosine", o.warmup = 1; }),
       [=](int64_t t) { return t < 2 ? 0.05 * static_cast<double>(t + 1) : after_warmup(t); }},
      {"steps at a fraction of the run, held-out images, label smoothing, clipping", options([](TrainOptions& o) {
         o.validation = 31, o.lr = 0.2, o.schedule = "step:0.5:0.2", o.clip = 0.9, o.label_smoothing = 0.1;
         o.model.model = "conv:3:3:stride=4 norm act dropout:0.2 flatten dense:classes", o.model.seed = 5;
       }),
       [](int64_t t) { return t < 3 ? 0.2 : 0.2 * 0.2; }},
      {"steps at epochs, Nesterov, decay of everything, augmentation", options([](TrainOptions& o) {
         o.augment.on = true, o.optimizer = "sgd:momentum=0.8:weight_decay=0.05:nesterov=on:decay_all=on";
         o.schedule = "step:1,2", o.model.norm = "layer";
       }),
       [](int64_t t) { return 0.05 * std::pow(0.1, static_cast<double>(t / 2)); }},
      {"a constant rate, one and a half epochs of warm-up, plain steps", options([](TrainOptions& o) {
         o.lr = 0.03, o.optimizer = "sgd", o.schedule = "constant", o.warmup = 1.5, o.model.norm = "none";
         o.model.activation = "tanh", o.model.init = "gaussian:0.02";
       }),
       [](int64_t t) { return t < 3 ? 0.01 * static_cast<double>(t + 1) : 0.03; }},
  };
}

}  // namespace

TEST_CASE("recompute: rates, losses, accuracies, weights, the best epoch, configuration and last line of a run") {
  // More test images than are evaluated at a time, the last of them fewer.
  const TinyData data(100, 300), more(131, 300);
  for (Variant& v : variants()) {
    CAPTURE(v.what);
    const Scratch scratch;
    const std::string out = scratch / "run";
    v.options.data_dir = (v.options.validation ? more : data).folder.path;
    const Outcome o = run(as_words(v.options) + Arguments{"--out", out});
    REQUIRE_MESSAGE(o.status == 0, o.err);
    const Reference r = reference(v.options, v.lr);
    CHECK(r.training == 100);
    if (v.options.clip > 0) CHECK((r.clipped > 0 && r.clipped < 6));

    const bool validated = v.options.validation > 0;
    const auto log = table(slurp(out + "/log.csv"), ',');
    const auto shown = table(o.out, ' ');
    REQUIRE(log.size() == 1 + all_epochs);
    REQUIRE(shown.size() == 2 + all_epochs);
    int64_t best = 0, most = -1;
    for (size_t e = 0; e < all_epochs; ++e) {
      CAPTURE(e);
      const Expected& x = r.rows[e];
      std::map<std::string, std::string> row;
      for (size_t i = 0; i < log[0].size(); ++i) row[log[0][i]] = log[e + 1].at(i);
      CHECK(row["epoch"] == std::to_string(e + 1));
      CHECK(near(row["lr"], x.lr, 1e-6 * (v.options.lr > 0 ? v.options.lr : 0.05)));
      CHECK(row["train_loss"] == fmt::format("{:.6g}", x.train_loss));
      CHECK(row["train_accuracy"] == fmt::format("{:.6f}", x.train_accuracy));
      CHECK(near(row["test_loss"], x.test.loss, 5e-6));
      CHECK(row["test_accuracy"] == fmt::format("{:.6f}", static_cast<double>(x.test.correct) / 300));
      CHECK(row.contains("validation_loss") == validated);
      if (validated) {
        CHECK(near(row["validation_loss"], x.validation.loss, 5e-6));
        CHECK(row["validation_accuracy"] == fmt::format("{:.6f}", static_cast<double>(x.validation.correct) / 31));
      }
      CHECK(std::stod(row["seconds"]) < 60);

      // The table on the screen: the columns of the log without their names in one word, rounded.
      const std::vector<std::string>& s = shown[e + 1];
      REQUIRE(s.size() == (validated ? 10 : 8));
      const char* columns[] = {"epoch",
                               "lr",
                               "train_loss",
                               "train_accuracy",
                               "test_loss",
                               "test_accuracy",
                               "images_per_second",
                               "seconds",
                               "validation_loss",
                               "validation_accuracy"};
      const double slack[] = {0, 1e-3 * v.options.lr, 6e-5, 6e-5, 6e-5, 6e-5, 0.6, 0.06, 6e-5, 6e-5};
      for (size_t i = 0; i < s.size(); ++i) {
        std::string digits = s[i];
        std::erase(digits, ',');
        CHECK_MESSAGE(std::abs(std::stod(digits) - std::stod(row[columns[i]])) <= slack[i], columns[i], " ", s[i], " ",
                      row[columns[i]]);
      }
      const int64_t judged = validated ? x.validation.correct : x.test.correct;
      if (judged > most) most = judged, best = static_cast<int64_t>(e);
    }
    const auto line = [&](size_t e) {
      return fmt::format("{:.4f}", static_cast<double>(r.rows[e].test.correct) / 300);
    };
    CHECK(last_line(o.out) == fmt::format("test accuracy {} ({} of 300) after 3 epochs, best {} at epoch {}",
                                          line(all_epochs - 1), r.rows.back().test.correct,
                                          line(static_cast<size_t>(best)), best + 1));

    const auto holds = [](const SafeTensors& file, const std::vector<StoredTensor>& tensors) {
      for (const StoredTensor& t : tensors) {
        const StoredTensor* there = file.find(t.name);
        CHECK_MESSAGE((there && there->bytes == t.bytes && there->shape == t.shape), t.name);
      }
    };
    const SafeTensors last = read_safetensors(out + "/last.safetensors"),
                      chosen = read_safetensors(out + "/best.safetensors");
    holds(last, r.rows.back().tensors);
    CHECK(last.tensors.size() == r.rows.back().tensors.size() + r.optimizer.size());
    for (const Parameter& p : r.optimizer) holds(last, {store("evenkeel." + p.name, p.value)});
    holds(chosen, r.rows[static_cast<size_t>(best)].tensors);
    CHECK(chosen.tensors.size() == r.rows.back().tensors.size());

    const auto config = nlohmann::json::parse(slurp(out + "/config.json"));
    CHECK(config["images"]["training"] == 100);
    CHECK(config["images"]["validation"] == v.options.validation);
    CHECK(config["images"]["test"] == 300);
    CHECK(config["network"]["parameters"] == r.parameters);
    CHECK(config["network"]["layers"] == v.options.model.model);
    CHECK(config["network"]["classes"] == 10);
    CHECK(config["normalization"]["mean"][0].get<float>() == doctest::Approx(r.normalization.mean[0]).epsilon(1e-6));
    CHECK(config["normalization"]["deviation"][0].get<float>() ==
          doctest::Approx(r.normalization.deviation[0]).epsilon(1e-6));
    for (const std::string& part :
         {fmt::format("(28x28x1), norm {}, {} parameters, on mnist: 100 images to train on", v.options.model.norm,
                      r.parameters < 1000 ? std::to_string(r.parameters)
                                          : fmt::format("{},{:03}", r.parameters / 1000, r.parameters % 1000)),
          std::string(validated ? " on, 31 to choose the epoch by, 300 to test; 2 threads;"
                                : " on, 300 to test; 2 threads;"),
          "wrote " + out + ": "})
      CHECK_MESSAGE(o.err.find(part) != std::string::npos, o.err);

    // eval: the same numbers again, from the file alone; the training images too.
    for (const std::string split : {"test", "train"}) {
      const Dataset images = split == "test" ? load_dataset("mnist", v.options.data_dir).test
                                             : load_dataset("mnist", v.options.data_dir).train;
      NetworkFile file = open_network(out + "/last.safetensors", standard_vocabulary());
      const Judged part = whole(*file.network, images, file.info.normalization);
      const Outcome again = run({"eval", out + "/last.safetensors", "--data-dir", v.options.data_dir, "--split", split,
                                 "--batch-size", "37"});
      const auto said = table(again.out, ' ');
      REQUIRE_MESSAGE(said.size() == 2, again.err);
      CHECK(said[0].at(0) == split);
      CHECK(near(said[0].at(2), part.loss, 5e-6));
      CHECK(last_line(again.out) == fmt::format("{} accuracy {:.4f} ({} of {})", split,
                                                static_cast<double>(part.correct) / static_cast<double>(images.size()),
                                                part.correct, images.size()));
    }
  }
}

namespace {

// Weights that answer shift more than the pattern says, and a file of them.
void save_answers(const std::string& path, int shift, real strength) {
  ModelOptions m;
  m.model = "flatten dense:classes", m.norm = "none", m.input = {28, 28, 1};
  const auto network = make_model(m);
  for (Parameter& p : parameters(*network))
    for (int64_t i = 0; i < p.value.size(); ++i)
      p.value.mutable_data()[i] = p.name == "1.weight" && i % 784 % 10 == (i / 784 + 10 - shift) % 10 ? strength : 0;
  write_safetensors(path, pack_network(*network, {m, "mnist", {{63}, {37}}}));
}

}  // namespace

TEST_CASE(
    "recompute: held-out images choose the epoch, the test images judge it; of equal epochs the first is the best") {
  // The test images' labels are one more than what the training images teach. The weights to begin with know the
  // test's.
  const std::vector<uint8_t> taught = TinyData::drawn(120, 3), asked = TinyData::drawn(50, 4);
  const TinyData data(taught, asked);
  std::vector<uint8_t> other;
  for (const uint8_t label : asked) other.push_back(static_cast<uint8_t>((label + 1) % 10));
  save(data.folder / "mnist/t10k-labels-idx1-ubyte", idx({50}, other));
  const Scratch scratch;
  save_answers(scratch / "start.safetensors", 1, real(0.01));
  const Arguments network{"train",
                          "--data",
                          "mnist",
                          "--data-dir",
                          data.folder.path,
                          "--model",
                          "flatten dense:classes",
                          "--norm",
                          "none",
                          "--init",
                          scratch / "start.safetensors",
                          "--optimizer",
                          "sgd",
                          "--epochs",
                          "6",
                          "--batch-size",
                          "20"};
  const auto log_of = [&](const std::string& out) { return table(slurp(out + "/log.csv"), ','); };

  // The held-out images are all right sooner or later, and stay so; by then the test images are all wrong.
  const Outcome learns = run(
      network + Arguments{"--validation", "20", "--lr", "0.5", "--schedule", "constant", "--out", scratch / "learns"});
  REQUIRE_MESSAGE(learns.status == 0, learns.err);
  const auto rows = log_of(scratch / "learns");
  size_t right = 1;
  while (right < rows.size() && rows[right].at(9) != "1.000000") ++right;
  REQUIRE_MESSAGE(right < rows.size(), slurp(scratch / "learns/log.csv"));
  CHECK(rows.back().at(9) == "1.000000");
  CHECK(right + 1 < rows.size());  // later epochs are as good
  CHECK(rows[right].at(5) == "0.000000");
  CHECK(last_line(learns.out) ==
        fmt::format("test accuracy 0.0000 (0 of 50) after 6 epochs, best 0.0000 at epoch {}", right));

  // Judged by the test images alone: the first epoch, whose steps are too small to change an answer.
  const Outcome forgets =
      run(network + Arguments{"--lr", "1e-12", "--schedule", "constant", "--out", scratch / "forgets"});
  CHECK(last_line(forgets.out) == "test accuracy 1.0000 (50 of 50) after 6 epochs, best 1.0000 at epoch 1");
  const Outcome best = run({"eval", scratch / "learns/best.safetensors", "--data-dir", data.folder.path});
  CHECK(last_line(best.out) == "test accuracy 0.0000 (0 of 50)");
}
