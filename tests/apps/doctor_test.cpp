// doctor, recalibrate and fold: every number they print, computed again in double from what the layers get.
#include <doctest/doctest.h>
#include <fmt/core.h>

#include <cmath>

#include "apps/cli/data_options.h"
#include "apps/formats/network_file.h"
#include "core/ops/loss.h"
#include "layers/norm/batch_norm.h"
#include "tests/apps/process.h"
#include "tests/apps/tiny_data.h"

using namespace evenkeel;

namespace {

const TinyData& data() {
  static const TinyData images(150, 81);
  return images;
}
Arguments with_data(const Arguments& arguments) { return arguments + Arguments{"--data-dir", data().folder.path}; }

// A network whose parameters and buffers a test sets, in a file as train writes it.
struct Subject {
  explicit Subject(const std::string& model, uint64_t seed = 1) {
    info.model.model = model, info.model.norm = info.model.activation = "none";
    info.model.input = {28, 28, 1}, info.model.seed = seed;
    info.data = "mnist", info.normalization = {{70}, {40}};
    network = make_model(info.model);
  }
  BatchNorm& norm(size_t i) { return dynamic_cast<BatchNorm&>((*network)[i]); }
  Tensor parameter(const std::string& name) {
    for (const Parameter& p : parameters(*network))
      if (p.name == name) return p.value;
    FAIL(name);
    return {};
  }
  const std::string& save() {
    write_safetensors(path, pack_network(*network, info));
    return path;
  }
  NetworkInfo info;
  std::unique_ptr<Sequential> network;
  const Scratch folder;
  const std::string path = folder / "network.safetensors";
};

void fill(const Tensor& t, const std::vector<double>& values) {
  for (int64_t i = 0; i < t.size(); ++i)
    t.detach().mutable_data()[i] = static_cast<real>(values[static_cast<size_t>(i) % values.size()]);
}

// Images [begin, end), normalised as the file says.
Tensor images(const Dataset& all, const Normalization& n, int64_t begin, int64_t end) {
  Tensor x = Tensor::empty({end - begin, 28, 28, 1});
  for (int64_t i = 0; i < x.size(); ++i)
    x.mutable_data()[i] =
        (static_cast<real>(all.pixels[static_cast<size_t>(begin * 784 + i)]) - n.mean[0]) / n.deviation[0];
  return x;
}

// What layer `to` gets.
Tensor input_of(Sequential& network, Tensor x, size_t to) {
  const Recording off(false);
  for (size_t i = 0; i < to; ++i) x = network[i].forward(x, Mode::eval);
  return x;
}

struct PerChannel {
  std::vector<double> mean, var;
};
PerChannel moments(const Tensor& x) {
  const int64_t c = x.channels();
  PerChannel m{std::vector<double>(static_cast<size_t>(c)), std::vector<double>(static_cast<size_t>(c))};
  const double rows = static_cast<double>(x.rows());
  for (int64_t i = 0; i < x.size(); ++i) m.mean[static_cast<size_t>(i % c)] += x.data()[i] / rows;
  for (int64_t i = 0; i < x.size(); ++i)
    m.var[static_cast<size_t>(i % c)] += std::pow(x.data()[i] - m.mean[static_cast<size_t>(i % c)], 2) / rows;
  return m;
}

int64_t best(const Tensor& logits, int64_t row) {
  const real* p = logits.data() + row * logits.channels();
  return std::max_element(p, p + logits.channels()) - p;
}

// A line of doctor's table, by its columns' widths.
std::vector<std::string> cells(const std::string& line) {
  std::vector<std::string> all;
  size_t at = 0;
  for (const size_t width : {12, 24, 10, 10, 18, 8, 12, 11}) {
    std::string cell = at < line.size() ? line.substr(at, width) : "";
    at += width;
    cell.erase(0, cell.find_first_not_of(' '));
    cell.erase(cell.find_last_not_of(' ') + 1);
    all.push_back(cell);
  }
  return all;
}
std::vector<std::string> lines(const std::string& text) {
  std::vector<std::string> all;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) all.push_back(line);
  return all;
}

bool shows(const std::string& text, double expected, double slack) {
  return std::abs(std::stod(text) - expected) <= slack;
}

// The lines of advice that begin with "- " and hold a text.
int64_t advice(const std::string& out, const std::string& part = "") {
  int64_t count = 0;
  for (const std::string& line : lines(out)) count += line.starts_with("- ") && contains(line, part);
  return count;
}

}  // namespace

TEST_CASE("doctor: gaps, activity, floor, rate, angle and disagreement are those of the images") {
  Subject s("flatten dense:6 batch:eps=0.002 relu dense:5 layer batch sigmoid dense:classes");
  fill(s.norm(2).gamma, {1, -0.5, 0.7, 2, 0, 1});
  fill(s.norm(2).beta, {0.3, -0.2, -1, 0.5, 0.1, 0});
  fill(s.norm(2).running_mean, {0.4, -0.1, 0.2, 0, 0, 0});
  fill(s.norm(2).running_var, {1.5, 0.8, 1, 2, 0.3, 0.01});
  fill(s.norm(6).running_mean, {0.02, 0, -0.01, 0, 0});
  fill(s.norm(6).running_var, {1.1, 0.9, 1, 1, 1.2});
  const Tensor w = s.parameter("1.weight");
  for (int64_t p = 0; p < 784; ++p)
    w.detach().mutable_data()[5 * 784 + p] *= real(1e-4);  // a channel that hardly varies
  const std::string file = s.save();

  const double lr = 0.7;
  const int64_t batch = 40, count = 2 * batch + 1;  // a last batch of one image, which has no statistics of its own
  const Outcome o =
      run(with_data({"doctor", file, "--split", "test", "--batch-size", std::to_string(batch), "--lr", "0.7"}));
  REQUIRE_MESSAGE(o.status == 0, o.err);
  const std::vector<std::string> out = lines(o.out);
  REQUIRE(out.size() > 5);
  CHECK(contains(out[0], "mean gap   std gap"));

  const Dataset test = load_dataset("mnist", data().folder.path).test;
  const Dataset all = take(test, Random(1).split("doctor").permutation(test.size()));
  const Tensor x = images(all, s.info.normalization, 0, count);
  const Labels first_labels(all.labels.begin(), all.labels.begin() + batch);
  const std::vector<Parameter> own = parameters(*s.network);
  const Grads g =
      grad(cross_entropy(s.network->forward(images(all, s.info.normalization, 0, batch), Mode::probe), first_labels),
           values(own));
  for (const size_t at : {size_t{2}, size_t{6}}) {
    CAPTURE(at);
    BatchNorm& norm = s.norm(at);
    const std::vector<std::string> row = cells(out[at == 2 ? 1 : 2]);
    const Tensor in = input_of(*s.network, x, at);
    const PerChannel m = moments(in);
    double mean_gap = 0, std_gap = 0, predicted = 0, active = 0;
    int floor = 0;
    for (size_t c = 0; c < m.mean.size(); ++c) {
      const auto of = [c](const Tensor& t) { return static_cast<double>(t.data()[c]); };
      const double deviation = std::sqrt(m.var[c] + norm.options.eps);
      mean_gap = std::max(mean_gap, std::abs(m.mean[c] - of(norm.running_mean)) / deviation);
      std_gap = std::max(std_gap, std::abs(std::sqrt(of(norm.running_var) + norm.options.eps) / deviation - 1));
      floor += m.var[c] < 10 * norm.options.eps;
      const double gamma = std::abs(of(norm.gamma)), beta = of(norm.beta);
      predicted += (gamma > 0  ? 0.5 * (1 + std::erf(beta / gamma / std::sqrt(2)))
                    : beta > 0 ? 1
                               : 0) /
                   static_cast<double>(m.mean.size());
    }
    const Tensor y = input_of(*s.network, x, at + 1);
    for (int64_t i = 0; i < y.size(); ++i) active += (y.data()[i] > 0) / static_cast<double>(y.size());
    CHECK(row[0] == std::to_string(at));
    CHECK(row[1] == norm.describe());
    CHECK(shows(row[2], mean_gap, 1e-3));
    CHECK(shows(row[3], std_gap, 1e-3));
    CHECK(row[5] == std::to_string(floor));
    CHECK(advice(o.out, fmt::format("{}: the running statistics are not those", at)) ==
          (std::max(mean_gap, std_gap) > 0.25));
    CHECK(advice(o.out, fmt::format("{}: {} of {} channels hardly vary", at, floor, m.mean.size())) == (floor > 0));
    if (at == 2) {
      CHECK(floor == 1);
      CHECK(row[4] == fmt::format("{:.3f} ({:.3f})", active, predicted));
      double ww = 0, wg = 0, gg = 0;
      for (size_t k = 0; k < own.size(); ++k) {
        if (own[k].name != "1.weight") continue;
        for (int64_t i = 0; i < own[k].value.size(); ++i) {
          const double a = own[k].value.data()[i], b = g[k].data()[i];
          ww += a * a, wg += a * b, gg += b * b;
        }
      }
      const double along = ww - lr * wg, across = lr * std::sqrt(gg * ww - wg * wg);  // of w - lr g, times |w|
      CHECK(shows(row[6], lr / ww, 6e-3 * lr / ww));
      CHECK(shows(row[7], std::atan2(across, along), 6e-3 * std::atan2(across, along)));
    } else {
      CHECK(row[4] == "no relu");
      CHECK(row[6] == "-");
      CHECK(row[7] == "-");
      CHECK(advice(o.out, "6: the bias of the layer before it is idle") == 1);  // the layer norm's
    }
  }

  double apart = 0, size = 0;
  int64_t changed = 0;
  const Recording off(false);
  for (const int64_t begin : {int64_t{0}, batch}) {
    const Tensor part = images(all, s.info.normalization, begin, begin + batch);
    const Tensor train = s.network->forward(part, Mode::probe), eval = s.network->forward(part, Mode::eval);
    for (int64_t i = 0; i < eval.size(); ++i)
      apart += std::pow(train.data()[i] - eval.data()[i], 2), size += std::pow(eval.data()[i], 2);
    for (int64_t i = 0; i < batch; ++i) changed += best(train, i) != best(eval, i);
  }
  CHECK(changed > 0);
  CHECK_MESSAGE(contains(o.out, fmt::format("\ntrain against eval on batches of 40: logits differ by {:.1f} % of their "
                                            "size, {:.2f} % of 80 predictions change\n",
                                            100 * std::sqrt(apart / size), 100 * static_cast<double>(changed) / 80)),
                o.out);
  CHECK(advice(o.out, "train and eval disagree") == (changed > 4));
}

TEST_CASE("doctor: each finding has its advice, and a network that ails nothing has none") {
  Subject s("flatten dense:8 batch relu dense:classes");
  const Dataset all = load_dataset("mnist", data().folder.path).train;
  const PerChannel m = moments(input_of(*s.network, images(all, s.info.normalization, 0, 150), 2));
  const auto well = [&] {
    fill(s.norm(2).gamma, {1});
    fill(s.norm(2).beta, {0});
    fill(s.norm(2).running_mean, m.mean);
    fill(s.norm(2).running_var, m.var);
  };
  const auto doctor = [&](const Arguments& more = {}) {
    const Outcome o = run(with_data({"doctor", s.save(), "--batch-size", "150", "--split", "train"}) + more);
    CHECK_MESSAGE(o.status == 0, o.err);
    return o.out;
  };
  const auto only = [&](const std::string& out, const std::string& part) {
    CHECK_MESSAGE((advice(out) == 1 && advice(out, part) == 1), out);
  };
  well();
  const std::string healthy = doctor({"--lr", "0.01"});
  CHECK_MESSAGE(contains(healthy, "no findings\n"), healthy);
  CHECK(advice(healthy) == 0);
  CHECK(contains(healthy, "logits differ by 0.0 % of their size, 0.00 % of 150 predictions change"));

  // Just below and above a quarter of a deviation, and of the ratio of the deviations.
  const auto shifted = [&](double mean, double deviation) {
    well();
    s.norm(2).running_mean.mutable_data()[3] += static_cast<real>(mean * std::sqrt(m.var[3] + 1e-5));
    s.norm(2).running_var.mutable_data()[3] = static_cast<real>((m.var[3] + 1e-5) * deviation * deviation - 1e-5);
    return advice(doctor({"--lr", "0.01"}), "2: the running statistics are not those of these images");
  };
  CHECK(shifted(0.24, 1) == 0);
  CHECK(shifted(-0.26, 1) == 1);
  CHECK(shifted(0, 1.24) == 0);
  CHECK(shifted(0, 1.26) == 1);
  CHECK(shifted(0, 0.74) == 1);

  well();
  fill(s.norm(2).beta, {-3});
  only(doctor({"--lr", "0.01"}), "% of its ReLUs are active");
  // All inputs below the running mean by half a deviation: 31 % are active where 50 % should be.
  well();
  for (size_t c = 0; c < 8; ++c)
    s.norm(2).running_mean.mutable_data()[c] = static_cast<real>(m.mean[c] + 0.5 * std::sqrt(m.var[c]));
  CHECK(advice(doctor({"--lr", "0.01"}), "% active where Phi(beta/|gamma|) says 50 %") == 1);

  // The angle of a step of this --lr, and the one that decay drives it to.
  well();
  const double angle = std::stod(cells(lines(healthy)[1])[7]) / 0.01;  // a unit of lr
  only(doctor({"--lr", fmt::format("{}", 0.4 / angle)}), "a step turns the weights before it by 0.");
  CHECK(advice(doctor({"--lr", fmt::format("{}", 0.2 / angle)})) == 0);
  const auto decayed = [&](double share) {  // the angle as a share of its equilibrium
    const double lr = 0.01, equilibrium = angle * lr / share;
    return advice(doctor({"--lr", "0.01", "--weight-decay", fmt::format("{}", equilibrium * equilibrium / 2 / lr)}),
                  "is far below its equilibrium");
  };
  CHECK(decayed(0.08) == 1);
  CHECK(decayed(0.12) == 0);
}

TEST_CASE("recalibrate: the moments of what inference gives each layer, and the accuracies before and after") {
  Subject s("conv:3:3:stride=3 batch relu flatten dense:7 batch:variance=biased relu dense:classes", 3);
  fill(s.norm(1).running_mean, {0.5, -0.5, 0});
  fill(s.norm(1).running_var, {2, 0.2, 1});
  fill(s.norm(5).running_mean, {40});  // all its ReLUs are dead: every image is said to be of class 0
  const std::string file = s.save(), out = s.folder / "new.safetensors";
  const int64_t count = 150;
  const Outcome o = run(with_data({"recalibrate", file, "--batch-size", "50", "--out", out}));
  REQUIRE_MESSAGE(o.status == 0, o.err);

  const Dataset all = load_dataset("mnist", data().folder.path).train;
  const Tensor x = images(all, s.info.normalization, 0, count);
  const auto accuracy = [&](Sequential& network) {
    const Tensor logits = input_of(network, x, network.size());
    int64_t right = 0;
    for (int64_t i = 0; i < count; ++i) right += best(logits, i) == all.labels[static_cast<size_t>(i)];
    return static_cast<double>(right) / count;
  };
  const double before = accuracy(*s.network);
  NetworkFile changed = open_network(out, standard_vocabulary());
  for (const size_t at : {size_t{1}, size_t{5}}) {
    const Tensor in = input_of(*changed.network, x, at);  // what the layers before it, recalibrated, give
    const PerChannel m = moments(in);
    const double n = static_cast<double>(in.rows());
    const auto& norm = dynamic_cast<BatchNorm&>((*changed.network)[at]);
    for (size_t c = 0; c < m.mean.size(); ++c) {
      CHECK(std::abs(norm.running_mean.data()[c] - m.mean[c]) <= 1e-5);
      CHECK(norm.running_var.data()[c] == doctest::Approx(m.var[c] * (at == 1 ? n / (n - 1) : 1)).epsilon(1e-5));
    }
  }
  const double after = accuracy(*changed.network);
  CHECK(before != after);
  CHECK_MESSAGE(
      o.out == fmt::format(
                   "2 layers recalibrated on 150 images of mnist\naccuracy on them {:.4f} before, {:.4f} after\n{}\n",
                   before, after, out),
      o.out);
  // Nothing but the statistics has changed.
  const SafeTensors old = read_safetensors(file), now = read_safetensors(out);
  CHECK(now.metadata.at("model") == old.metadata.at("model"));
  for (const StoredTensor& t : old.tensors)
    if (!contains(t.name, "running_") && !contains(t.name, "batches"))
      CHECK_MESSAGE((now.find(t.name) && (contains(t.name, "num_") || now.find(t.name)->bytes == t.bytes)), t.name);
  const Outcome well = run(with_data({"doctor", out}));
  CHECK_MESSAGE(contains(well.out, "0.000     0.000"), well.out);
  CHECK_FALSE(contains(well.out, "run evenkeel recalibrate"));
}

TEST_CASE(
    "fold: the largest difference of a logit, the largest logit and the predictions that change; nothing is written "
    "where it is not rounding") {
  // Two classes whose logits differ by rounding alone: which of them is larger changes.
  Subject s("flatten dense:classes batch");
  const Tensor w = s.parameter("1.weight");
  for (int64_t p = 0; p < 784; ++p) w.detach().mutable_data()[784 + p] = 3 * w.data()[p];
  fill(s.norm(2).running_mean, {0.11, 0.33, 0.1, -0.2});
  fill(s.norm(2).running_var, {0.7, 6.3 + 8e-5, 1});
  fill(s.norm(2).beta, {0.5, 0.5, -50, -51, -52, -53, -54, -55, -56, -57});
  const std::string file = s.save(), out = s.folder / "plain.safetensors";
  const Outcome o = run(with_data({"fold", file, "--batch-size", "32", "--out", out}));
  REQUIRE_MESSAGE(o.status == 0, o.err);
  const Dataset all = load_dataset("mnist", data().folder.path).test;
  NetworkFile with = open_network(file, standard_vocabulary()), plain = open_network(out, standard_vocabulary());
  CHECK(plain.network->describe() == "flatten dense:10");
  double apart = 0, largest = 0;
  int64_t changed = 0;
  const Recording off(false);
  Loader loader(all, s.info.normalization, {.batch_size = 32, .shuffle = false});  // its normalisation, to the bit
  loader.begin_epoch(0);
  for (Batch batch; loader.next(batch);) {
    const Tensor a = with.network->forward(batch.x, Mode::eval), b = plain.network->forward(batch.x, Mode::eval);
    for (int64_t i = 0; i < a.size(); ++i) {
      apart = std::max(apart, static_cast<double>(std::abs(a.data()[i] - b.data()[i])));
      largest = std::max(largest, static_cast<double>(std::abs(a.data()[i])));
    }
    for (int64_t i = 0; i < a.rows(); ++i) changed += best(a, i) != best(b, i);
  }
  CHECK(changed > 0);
  CHECK_MESSAGE(o.out == fmt::format("1 normalisation folded; on 81 images of mnist the logits differ by at most "
                                     "{:.3g} (the largest is {:.3g}), {} predictions change\n{}\n",
                                     apart, largest, changed, out),
                o.out);

  // Sums of a thousand million, whose differences are a hundred thousand: float does not have those digits.
  s.info.normalization = {{-1e6f}, {1}};
  fill(w, {1000});
  fill(s.norm(2).running_mean, {7.84e11});
  fill(s.norm(2).running_var, {1e-6});
  fill(s.norm(2).beta, {0});
  const Outcome far = run(with_data({"fold", s.save(), "--out", s.folder / "far.safetensors"}));
  CHECK_MESSAGE(far.status == 1, far.out);
  CHECK_MESSAGE(contains(far.err, "the difference is larger than rounding, so no file was written"), far.err);
  CHECK_FALSE(std::filesystem::exists(s.folder / "far.safetensors"));
}

TEST_CASE("doctor: the learning rate and the weight decay are the run's, unless they are given") {
  const Scratch scratch;
  const std::string folder = scratch / "run", alone = scratch / "alone.safetensors";
  REQUIRE(run(with_data({"train", "--data", "mnist", "--model", "flatten dense:6 norm relu dense:classes", "--epochs",
                         "1", "--lr", "0.02", "--optimizer", "sgd:weight_decay=0.003", "--out", folder}))
              .status == 0);
  std::filesystem::copy_file(folder + "/best.safetensors", alone);
  const auto rate = [&](const std::string& file, const Arguments& more = {}) {
    const Outcome o = run(with_data({"doctor", file}) + more);
    REQUIRE_MESSAGE(o.status == 0, o.err);
    return std::pair(std::stod(cells(lines(o.out)[1])[6]), o.err);
  };
  const double at_one = rate(alone, {"--lr", "1"}).first;
  for (const std::string& file : {folder, folder + "/best.safetensors"}) {
    const auto [found, said] = rate(file);
    CHECK(found == doctest::Approx(0.02 * at_one).epsilon(0.01));
    CHECK(contains(said, "run/config.json: learning rate 0.02\n"));
    CHECK(contains(said, "run/config.json: weight decay 0.003\n"));
  }
  const auto [given, said] = rate(folder, {"--lr", "0.5", "--weight-decay", "0"});
  CHECK(given == doctest::Approx(0.5 * at_one).epsilon(0.01));
  CHECK_FALSE(contains(said, "config.json"));
  CHECK(rate(alone).first == doctest::Approx(0.1 * at_one).epsilon(0.01));
  std::ofstream(folder + "/config.json") << "{\"options\": {\"lr\": \"fast\"}}";
  const Outcome bad = run(with_data({"doctor", folder}));
  CHECK(bad.status == 4);
  CHECK_MESSAGE(contains(bad.err, "config.json: \"lr\" must be a number above 0, got fast; or give --lr"), bad.err);
}
