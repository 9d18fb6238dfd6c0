#include "apps/train/training_run.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <csignal>

#include "apps/cli/model_options.h"
#include "apps/cli/options.h"
#include "apps/cli/text.h"
#include "apps/train/identity.h"
#include "core/base/parallel.h"
#include "core/io/file.h"
#include "layers/norm/recalibrate.h"
#include "layers/whiten.h"
#include "optim/clip.h"
#include "optim/groups.h"

namespace evenkeel {
namespace {

ModelOptions with_images(ModelOptions model, const Dataset& data) {
  model.input = data.image;
  model.classes = data.classes;
  if (names_file(model.init)) model.init = ModelOptions().init;
  return model;
}

std::unique_ptr<Sequential> frozen(std::unique_ptr<Sequential> network, int64_t layers) {
  network->frozen = static_cast<size_t>(layers);
  check(!network->trained_parameters().empty(),
        "--freeze: the first {} layers hold all weights of the network, which has {}; nothing is left to train", layers,
        network->size());
  return network;
}

}  // namespace

TrainingRun::TrainingRun(const TrainOptions& options, const Registry& registry, Team* team)
    : o_(options),
      team_(team),
      data_(load_training_data(options, registry.data)),
      info_{with_images(options.model, data_.train),
            data_.train.name,
            measure(data_.train),
            data_.train.class_names,
            data_.held_out,
            data_.held_out > 0 ? fmt::format("{:08x}", checksum(data_.test)) : "",
            flip_word(options.augment)},
      network_(make_network(registry.layers)),
      optimizer_(make_optimizer(options.optimizer, grouped(network_->trained_parameters(), options.groups),
                                registry.optimizers)),
      shards_(options.shards, team),
      loader_(data_.train, info_.normalization,
              {.batch_size = options.batch_size,
               .augment = options.augment.on,
               .augmentation = parse_augmentation(options.augment),
               .seed = options.model.seed,
               .shards = shards_.count(),
               .first_shard = shards_.first(),
               .end_shard = shards_.first() + shards_.here()}),
      progress_(options.epochs, data_.train.size(), loader_.batches()) {
  // In a folder of pictures a run's files would be taken for classes or pictures.
  for (const std::string& input : data_.inputs)
    if (!o_.out.empty()) check_outside(o_.out, input);
  check_smallest_batch();
  const auto warmup = std::llround(options.warmup * static_cast<double>(loader_.batches()));
  schedule_ = parse_schedule(options.schedule, options.lr, options.epochs, loader_.batches(), warmup);
  trainer_.emplace(*network_, *optimizer_, schedule_, static_cast<real>(options.label_smoothing));
  if (options.shards > 1) trainer_->set_shards(shards_, [&] { return make_network(registry.layers); });
  if (team) processes_.emplace(team->size(), team);
  if (options.average > 0) average_.emplace(optimizer_->parameters(), options.average);
  if (options.clip > 0)
    trainer_->before_update = [this](const StepResult&, Grads& g) { clip_by_global_norm(g, o_.clip); };
}

std::unique_ptr<Sequential> TrainingRun::make_network(const Vocabulary& layers) const {
  return frozen(make_named_model(info_.model, layers), o_.freeze);
}

// A batch norm on dense features cannot train on a batch of one. Two images show all that a larger batch would.
void TrainingRun::check_smallest_batch() const {
  if (shards_.count() > 1) return;  // each has two images
  const Shape& image = data_.train.image;
  const int64_t last = data_.train.size() - (loader_.batches() - 1) * o_.batch_size,
                n = std::min({o_.batch_size, last, int64_t{2}});
  try {
    const Recording off(false);
    network_->forward(Tensor::zeros({n, image[0], image[1], image[2]}), Mode::probe);
  } catch (const Error& error) {
    fail(error.fault, "--batch-size {}: a batch of {} cannot be trained on: {}", o_.batch_size, n, error.what());
  }
}

void TrainingRun::take_weights() {
  if (!names_file(o_.model.init)) return fit_whitening(*network_, [this] { return some_images(); });
  if (const std::string said = load_start(o_.model.init, *network_, info_); !said.empty()) console_.note(said);
}

nlohmann::ordered_json TrainingRun::facts() const { return run_facts(o_, *network_, info_, data_); }

nlohmann::ordered_json TrainingRun::position() const {
  double sum = 0;
  for (const Parameter& p : parameters(*network_)) sum += mean(p.value).item();
  return {{"epoch", state_.epoch}, {"batch", state_.batch}, {"sum of the weights", sum}};
}

// Whether a process got a signal. All of them call it at the same places, so that they stop at the same one.
bool TrainingRun::stopped() {
  if (signal_ == 0) signal_ = interrupt_.signal();
  if (processes_ && !all_stop_) {
    const auto largest = [](void* into, const void* from, size_t) {
      *static_cast<int*>(into) = std::max(*static_cast<int*>(into), *static_cast<const int*>(from));
    };
    processes_->fold({&signal_}, sizeof signal_, {largest});
    all_stop_ = signal_ != 0;
  }
  return signal_ != 0;
}

int TrainingRun::operator()() {
  console_.note(fmt::format(
      "{} ({}), norm {}, {}{}, on {}: {} to train on{}, {} to test; {}; into {}", o_.model.model,
      shape_text(info_.model.input), o_.model.norm, counted(parameter_count(*network_), "parameter"),
      o_.freeze > 0 ? " of which " + thousands(static_cast<double>(trained_count())) + " are trained" : "", o_.data,
      counted(data_.train.size(), "image"),
      data_.validation.size() > 0 ? fmt::format(", {} to choose the epoch by", data_.validation.size()) : "",
      thousands(static_cast<double>(data_.test.size())), counted(threads(), "thread"), folder_->path()));
  keep_epoch();
  progress_.begin(rows_, data_.validation.size() > 0);
  while (state_.epoch <= o_.epochs && !out_of_patience()) {
    progress_.begin_epoch();
    train_epoch();
    if (stopped()) return stop();
    EpochRow row{.epoch = state_.epoch,
                 .lr = schedule_.at(step_number() - 1),
                 .train_loss = state_.loss_sum / static_cast<double>(state_.seen),
                 .train_accuracy = static_cast<double>(state_.correct) / static_cast<double>(state_.seen),
                 .images_per_second = progress_.images_per_second(),
                 .validation_loss = {},
                 .validation_accuracy = {}};
    const std::optional<Score> test = score(data_.test, "testing");
    if (!test) return stop();
    std::optional<Score> chooser = test;
    if (data_.validation.size() > 0) {
      chooser = score(data_.validation, "validating");
      if (!chooser) return stop();
      row.validation_loss = chooser->loss;
      row.validation_accuracy = chooser->accuracy();
    }
    row.test_loss = test->loss;
    row.test_accuracy = test->accuracy();
    row.seconds = progress_.seconds();
    finish_epoch(row, *test, *chooser);
  }
  const auto stopped_before = [&](const char* what) {
    console_.note(
        fmt::format("evenkeel: stopped before {}. To go on: evenkeel train --resume {}", what, folder_->path()));
    return 128 + signal_;
  };
  if (o_.test_views && !test_on_views()) return stopped_before("the test on several views was done");
  if (average_ && !finish_average()) return stopped_before("average.safetensors was made");
  console_.note(fmt::format("wrote {}: best.safetensors, last.safetensors, {}log.csv, curves.svg, config.json",
                            folder_->path(), average_ ? "average.safetensors, " : ""));
  const double count = static_cast<double>(data_.test.size());
  const std::string early = out_of_patience() ? fmt::format("; ended early: no better on the validation images for {}",
                                                            counted(state_.epoch - 1 - state_.best_epoch, "epoch"))
                                              : "";
  console_.print(fmt::format("test accuracy {:.4f} ({} of {}) after {}, best {:.4f} at epoch {}{}",
                             static_cast<double>(state_.test_correct) / count, state_.test_correct, data_.test.size(),
                             counted(state_.epoch - 1, "epoch"), static_cast<double>(state_.best_test_correct) / count,
                             state_.best_epoch, early));
  return 0;
}

void TrainingRun::train_epoch() {
  loader_.begin_epoch(state_.epoch, state_.batch);
  for (Batch batch; !stopped() && loader_.next(batch);) {
    step(batch);
    if (o_.checkpoint_every > 0 && step_number() % o_.checkpoint_every == 0) save_last();
    progress_.show_training(state_);
  }
}

void TrainingRun::step(const Batch& batch) {
  StepResult result;
  try {
    trainer_->steps = step_number();
    result = trainer_->step(batch);
  } catch (const Error& error) {
    if (error.fault != Fault::failed) throw;
    fail(Fault::failed, "the run diverged: in epoch {}, step {}, {}. {}", state_.epoch, step_number() + 1, error.what(),
         advice());
  }
  if (average_) average_->add();
  state_.correct += result.correct;
  state_.loss_sum += result.loss * static_cast<double>(result.count);
  state_.seen += result.count;
  state_.batch += 1;
  progress_.trained(result.count);
}

// Empty if a signal stopped it.
std::optional<Score> TrainingRun::score(const Dataset& data, const char* what, const Views& views) {
  const auto go_on = [&](double part) {
    progress_.show_scoring(state_, what, part);
    return !stopped();
  };
  const Score s = evaluate(
      *network_, data, info_.normalization, evaluation_batch, go_on, [](const Tensor&, const Labels&) {}, views,
      processes_ ? &*processes_ : nullptr);
  if (stopped()) return {};
  if (!std::isfinite(s.loss)) {
    fail(Fault::failed, "the run diverged: after epoch {}, step {}, the loss on {} is {}. {}", state_.epoch,
         step_number(), counted(data.size(), "image"), std::abs(s.loss), advice());
  }
  return s;
}

int TrainingRun::stop() {
  const int number = signal_;
  save_last();
  console_.note(
      fmt::format("evenkeel: stopped by {} in epoch {} after {} of {}; saved {}. To go on: evenkeel train --resume {}",
                  number == SIGINT ? "Ctrl-C" : "SIGTERM", state_.epoch, state_.batch,
                  counted(loader_.batches(), "step"), path("last.safetensors"), folder_->path()));
  return 128 + number;
}

// Once, after everything else is saved: replaces the last weights by the averaged ones, and recomputes the running
// averages for them. False if a signal stopped it.
bool TrainingRun::finish_average() {
  average_->put();
  Random random = Random(o_.model.seed).split("recalibrate");
  const int64_t most = 10'000;  // images; each normalisation needs one pass over them
  const bool many = data_.train.size() > most;
  const Dataset drawn = many ? draw_in_proportion(data_.train, most, random) : Dataset();
  const Dataset& images = many ? drawn : data_.train;
  try {
    recalibrate(*network_, [&](const std::function<void(const Tensor&)>& see) {
      Loader loader(images, info_.normalization, {.batch_size = evaluation_batch, .shuffle = false});
      loader.begin_epoch(0);
      for (Batch batch; loader.next(batch); see(batch.x))
        if (stopped()) throw Stopped{signal_};
    });
  } catch (const Stopped&) {
    return false;
  }
  const std::optional<Score> test = score(data_.test, "testing");
  if (!test) return false;
  write("average.safetensors", pack_network(*network_, info_));
  console_.print(fmt::format("average of the weights, running averages over {}: test accuracy {:.4f} ({} of {})",
                             counted(images.size(), "image"), test->accuracy(), test->correct, test->count));
  return true;
}

// Tests the last network on several views. False if a signal stopped it.
bool TrainingRun::test_on_views() {
  const Views views = test_views(data_.test.flips);
  const std::optional<Score> test = score(data_.test, "testing", views);
  if (!test) return false;
  console_.print(fmt::format("on {} views of each test image: test accuracy {:.4f} ({} of {})", views.size(),
                             test->accuracy(), test->correct, test->count));
  return true;
}

// Training images, drawn by the seed and normalised, to fit whitening.
Tensor TrainingRun::some_images() const {
  Random random = Random(o_.model.seed).split("measure");
  const int64_t most = 5'000;
  const Dataset images = data_.train.size() > most ? draw_in_proportion(data_.train, most, random) : data_.train;
  Loader loader(images, info_.normalization, {.batch_size = images.size(), .shuffle = false, .background = false});
  loader.begin_epoch(0);
  Batch batch;
  loader.next(batch);
  return batch.x;
}

// Advice after a divergence.
std::string TrainingRun::advice() const {
  return "A smaller --lr, --warmup or --clip may help. " +
         (saved() ? "The last good checkpoint is " + path("last.safetensors") : "Nothing was saved yet");
}

}  // namespace evenkeel
