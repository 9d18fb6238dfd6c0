// evenkeel doctor: finds problems of a network's batch normalisations, layer by layer, with advice.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "apps/cli/console.h"
#include "apps/cli/options.h"
#include "apps/cli/run_file.h"
#include "apps/cli/text.h"
#include "apps/commands/subject.h"
#include "apps/report/run_record.h"
#include "core/base/number.h"
#include "layers/model/inspect.h"
#include "layers/norm/recalibrate.h"
#include "optim/curvature/movement.h"

namespace evenkeel {
namespace {

// One normalisation and its neighbours.
struct Patient {
  std::string name;
  RunningNorm* norm;
  Population inputs = {};
  double active = 0, seen = 0;  // values above zero after it
  bool relu_behind = false;
  Tensor weight = {}, bias = {};  // of the layer before it
};

void examine(Patient& p, const LayerIO& s) {
  p.inputs.add(s.x);
  p.active += static_cast<double>(std::count_if(s.y.data(), s.y.data() + s.y.size(), [](real v) { return v > 0; }));
  p.seen += static_cast<double>(s.y.size());
  p.relu_behind = s.behind && s.behind->describe() == "relu";
  if (!s.before) return;
  for (const Parameter& q : parameters(*s.before)) {
    if (q.name == "weight" && q.decay) p.weight = q.value;
    if (q.name == "bias") p.bias = q.value;
  }
}

double predicted_active(const RunningNorm& norm) {
  double sum = 0;
  for (int64_t c = 0; c < norm.gamma.size(); ++c) {
    const double g = std::abs(static_cast<double>(norm.gamma.data()[c])), b = norm.beta.data()[c];
    sum += g > 0 ? 0.5 * std::erfc(-b / g / std::sqrt(2.0)) : b > 0;
  }
  return sum / static_cast<double>(norm.gamma.size());
}

// Takes the learning rate and the weight decay that are not given from the run in whose folder the file is.
void take_rates(const std::string& file, double* lr, double* weight_decay) {
  const std::filesystem::path folder = std::filesystem::path(file).parent_path();
  const std::string config = run_file(folder / "config.json").string();
  if (std::error_code ignored; !std::filesystem::exists(config, ignored)) return;
  const auto options = run_options(folder.string());
  const auto text = [&](const char* name) {
    const auto found = options.find(name);
    return found == options.end() ? std::string() : found->second;
  };
  if (lr && !text("lr").empty()) {
    if (!parse_number(text("lr"), *lr) || !(*lr > 0 && *lr < no_limit))
      fail(Fault::bad_file, "{}: \"lr\" must be a number above 0, got {}; or give --lr", config, text("lr"));
    note(fmt::format("{}: learning rate {}", config, *lr));
  }
  if (weight_decay) {
    try {
      *weight_decay = SpecArguments("optimizer", text("optimizer")).number(SIZE_MAX, "weight_decay", 0, no_limit, 0);
    } catch (const Error& error) {
      fail(Fault::bad_file, "{}: {}", config, error.what());
    }
    note(fmt::format("{}: weight decay {}", config, *weight_decay));
  }
}

}  // namespace

Action doctor_command(CLI::App& app, const Registry& registry) {
  struct Options {
    SubjectOptions subject;
    double lr = 0.1, weight_decay = 0;
  };
  const auto o = std::make_shared<Options>();
  o->subject.samples = 2000;
  o->subject.batch_size = 64;
  add_subject_options(app, o->subject);
  const std::string otherwise = " of its training; default: as config.json beside the file says, without one ";
  CLI::Option* lr =
      add_number(app, "--lr", o->lr, {.low = 0, .above = true}, fmt::format("the learning rate{}{}", otherwise, o->lr))
          ->default_str("")
          ->group("Training");
  CLI::Option* weight_decay = add_number(app, "--weight-decay", o->weight_decay, {.low = 0},
                                         fmt::format("the weight decay{}{}", otherwise, o->weight_decay))
                                  ->default_str("")
                                  ->group("Training");
  app.footer(
      "mean gap, std gap  running against population statistics on these images, the channels' largest:\n"
      "                   |difference of means| in standard deviations; |ratio of standard deviations - 1|\n"
      "active (pred.)     fraction of values above zero after it, measured; predicted: Phi(beta / |gamma|)\n"
      "floor              channels whose variance is below 10 eps: eps decides about their scale\n"
      "eff. lr, angle     of the scale-invariant weights before it: lr / |w|^2, and a plain step's angle in\n"
      "                   radians");
  return [o, lr, weight_decay, &registry] {
    Subject subject = open_subject(o->subject, registry);
    check(subject.images.size() >= 2, "doctor: needs two or more images, for the statistics of a batch, got {}",
          subject.images.size());
    take_rates(o->subject.file, lr->count() ? nullptr : &o->lr, weight_decay->count() ? nullptr : &o->weight_decay);
    // A folder's images come class by class; a batch of one class has other statistics than one in training.
    const auto order = Random(subject.file.info.model.seed).split("doctor").permutation(subject.images.size());
    subject.images = take(subject.images, order);
    Sequential& network = subject.network();
    std::vector<Patient> all;
    subject.each_batch([&](const Batch& b) {
      inspect(network, b.x, Mode::eval, [&](const LayerIO& s) {
        auto* norm = dynamic_cast<RunningNorm*>(&s.layer);
        if (!norm) return;
        auto p = std::find_if(all.begin(), all.end(), [&](const Patient& known) { return known.norm == norm; });
        if (p == all.end()) p = all.insert(p, {.name = s.name, .norm = norm});
        examine(*p, s);
      });
    });
    check(!all.empty(),
          "doctor: the network must have a batch or renorm layer, which has running averages; {} has none",
          o->subject.file);

    // How far logits differ between batch statistics and running ones.
    double apart = 0, size = 0, changed = 0, images = 0;
    const std::vector<Parameter> own = parameters(network);
    std::vector<Movement> moves;
    subject.each_batch([&](const Batch& b) {
      if (b.labels.size() < 2) return;
      Tensor train = network.forward(b.x, Mode::probe);
      if (moves.empty()) moves = movements(own, grad(cross_entropy(train, b.labels), values(own)), o->lr);
      const Recording off(false);
      train = train.detach();
      const Tensor eval = network.forward(b.x, Mode::eval).detach();
      for (int64_t i = 0; i < eval.size(); ++i)
        apart += std::pow(train.data()[i] - eval.data()[i], 2), size += std::pow(eval.data()[i], 2);
      changed += static_cast<double>(changed_predictions(train, eval));
      images += static_cast<double>(eval.rows());
    });
    check_outputs("doctor", apart + size);

    std::vector<std::string> advice;
    say("{:<12}{:<24}{:>10}{:>10}{:>18}{:>8}{:>12}{:>11}\n", "name", "layer", "mean gap", "std gap", "active (pred.)",
        "floor", "eff. lr", "angle");
    for (const Patient& p : all) {
      const RunningNorm::Statistics s = p.norm->statistics();
      const Tensor mean = p.inputs.mean(), var = p.inputs.var();
      double mean_gap = 0, std_gap = 0;
      int64_t floor = 0;
      for (int64_t c = 0; c < mean.size(); ++c) {
        const double root = std::sqrt(static_cast<double>(var.data()[c]) + p.norm->epsilon());
        mean_gap = std::max(mean_gap, std::abs(static_cast<double>(mean.data()[c] - s.mean.data()[c])) / root);
        std_gap = std::max(std_gap, std::abs(std::sqrt(static_cast<double>(s.var.data()[c])) / root - 1));
        floor += var.data()[c] < 10 * p.norm->epsilon();
      }
      const double active = p.active / p.seen, predicted = predicted_active(*p.norm);
      std::string rate = "-", angle = "-";
      double step = 0;
      for (size_t i = 0; i < moves.size() && p.weight.defined(); ++i) {
        if (own[i].value.node() != p.weight.node()) continue;
        step = moves[i].angle;
        rate = fmt::format("{:.3g}", moves[i].effective_rate);
        angle = fmt::format("{:.3g}", step);
      }
      say("{:<12}{:<24}{:>10.3f}{:>10.3f}{:>18}{:>8}{:>12}{:>11}\n", p.name, p.norm->describe(), mean_gap, std_gap,
          p.relu_behind ? fmt::format("{:.3f} ({:.3f})", active, predicted) : std::string("no relu"), floor, rate,
          angle);
      if (mean_gap > 0.25 || std_gap > 0.25)
        advice.push_back(
            fmt::format("{}: the running statistics are not those of these images; run evenkeel recalibrate (in "
                        "training a larger new= forgets sooner, a smaller one is less noisy).",
                        p.name));
      if (floor > 0)
        advice.push_back(
            fmt::format("{}: {} of {} channels hardly vary, their scale is eps's; a dead unit before them, or weight "
                        "decay on a channel that is not used.",
                        p.name, floor, mean.size()));
      if (p.relu_behind && active < 0.1)
        advice.push_back(
            fmt::format("{}: only {:.0f} % of its ReLUs are active; beta is far below zero: a smaller learning rate, "
                        "or no decay elsewhere to fight.",
                        p.name, 100 * active));
      if (p.relu_behind && std::abs(active - predicted) > 0.1)
        advice.push_back(
            fmt::format("{}: {:.0f} % active where Phi(beta/|gamma|) says {:.0f} %: its inputs are far from normal, or "
                        "not what the running statistics say.",
                        p.name, 100 * active, 100 * predicted));
      if (p.bias.defined())
        advice.push_back(fmt::format(
            "{}: the bias of the layer before it is idle, the mean takes it away again; leave it out.", p.name));
      if (step > 0.3)
        advice.push_back(
            fmt::format("{}: a step turns the weights before it by {:.2f} radians; they grow until steps are smaller, "
                        "or take a smaller --lr.",
                        p.name, step));
      if (o->weight_decay > 0 && step > 0 && (step < 0.1 * std::sqrt(2 * o->lr * o->weight_decay)))
        advice.push_back(
            fmt::format("{}: a step's angle is far below its equilibrium sqrt(2 lr wd) = {:.3g}; the weights are still "
                        "shrinking, or the gradient has gone.",
                        p.name, std::sqrt(2 * o->lr * o->weight_decay)));
    }
    const double disagreement = std::sqrt(apart / std::max(size, 1e-300));
    say("\ntrain against eval on batches of {}: logits differ by {:.1f} % of their size, {:.2f} % of {:.0f} "
        "predictions change\n",
        subject.batch_size, 100 * disagreement, 100 * changed / images, images);
    if (changed / images > 0.05)
      advice.push_back(
          "train and eval disagree on one image in twenty or more: larger batches, recalibrate, renorm or group norm.");
    for (const std::string& line : advice) say("- {}\n", line);
    if (advice.empty()) say("no findings\n");
    return 0;
  };
}

}  // namespace evenkeel
