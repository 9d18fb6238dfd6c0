#include "apps/train/run.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <filesystem>
#include <optional>

#include "apps/cli/interrupt.h"
#include "apps/cli/model_options.h"
#include "apps/cli/options.h"
#include "apps/cli/text.h"
#include "apps/train/identity.h"
#include "apps/train/progress.h"
#include "apps/trainer/evaluate.h"
#include "apps/trainer/trainer.h"
#include "core/base/parallel.h"
#include "core/io/file.h"
#include "core/io/json_check.h"
#include "core/ops/matmul.h"
#include "layers/norm/recalibrate.h"
#include "layers/whiten.h"
#include "optim/average.h"
#include "optim/clip.h"
#include "optim/groups.h"
#include "optim/schedule.h"

namespace evenkeel {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

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

class Run {
 public:
  Run(const TrainOptions& options, const Registry& registry, Team* team)
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
    check(loader_.batches() > 0, "train: {} images give no batch of {}", data_.train.size(), options.batch_size);
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

  Json facts() const { return run_facts(o_, *network_, info_, data_); }
  void take_weights();  // those to begin with
  void begin(RunFolder folder, Json config);
  void resume(RunFolder folder, Json config, bool longer);
  int operator()();
  Json position() const;  // in the run, with a sum over the weights

 private:
  std::unique_ptr<Sequential> make_network(const Vocabulary& layers) const {
    return frozen(make_named_model(info_.model, layers), o_.freeze);
  }
  std::string path(const char* file) const { return *folder_ / file; }
  bool writes() const { return !team_ || team_->rank() == 0; }
  bool saved() const;  // whether there is something to resume
  void write(const char* file, const std::string& text) const;
  void write(const char* file, const SafeTensors& content) const {
    if (writes()) write(file, format_safetensors(content));
  }
  void check_smallest_batch() const;
  bool stopped();
  int64_t step_number() const { return (state_.epoch - 1) * loader_.batches() + state_.batch; }

  void step(const Batch& batch);
  void train_epoch();
  void finish_epoch(const EpochRow& row, const Score& test, const Score& chooser);
  std::optional<Score> score(const Dataset& data, const char* what, const Views& views = {View()});
  void save_last();
  int stop();
  std::string advice() const;
  bool out_of_patience() const {
    return o_.patience > 0 && state_.best_epoch > 0 && state_.epoch - 1 - state_.best_epoch >= o_.patience;
  }
  bool finish_average();
  bool test_on_views();
  Tensor some_images() const;
  int64_t trained_count() const {
    int64_t count = 0;
    for (const Parameter& p : optimizer_->parameters()) count += p.value.size();
    return count;
  }
  std::vector<Parameter> kept_state() const;

  const TrainOptions& o_;
  Team* const team_;
  TrainingData data_;
  NetworkInfo info_;
  std::unique_ptr<Sequential> network_;
  std::unique_ptr<Optimizer> optimizer_;
  std::optional<WeightAverage> average_;
  Shards shards_;                    // of a batch
  std::optional<Shards> processes_;  // one for each of the team
  Loader loader_;
  Schedule schedule_;
  std::optional<Trainer> trainer_;
  TrainState state_;
  std::vector<EpochRow> rows_;
  std::optional<RunFolder> folder_;
  std::string identity_;  // the run's identity in last.safetensors

  Progress progress_;
  Console& console_ = progress_.console;
  Interrupt interrupt_;
  int signal_ = 0;
  bool all_stop_ = false;  // the team knows it
};

Json Run::position() const {
  double sum = 0;
  for (const Parameter& p : parameters(*network_)) sum += mean(p.value).item();
  return {{"epoch", state_.epoch}, {"batch", state_.batch}, {"sum of the weights", sum}};
}

bool Run::saved() const {
  std::error_code ignored;
  return fs::exists(path("last.safetensors"), ignored);
}

void Run::write(const char* file, const std::string& text) const try {
  if (writes()) write_file(path(file), text);
} catch (const Error& error) {
  fail(error.fault, "{}. When this is mended: {}", error.what(),
       saved() ? "evenkeel train --resume " + folder_->path()
               : "start the run again; it had saved no checkpoint, and leaves nothing");
}

// Whether a process got a signal. All of them call it at the same places, so that they stop at the same one.
bool Run::stopped() {
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

// A batch norm on dense features cannot train on a batch of one. Two images show all that a larger batch would.
void Run::check_smallest_batch() const {
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

void Run::take_weights() {
  if (!names_file(o_.model.init)) return fit_whitening(*network_, [this] { return some_images(); });
  if (const std::string said = load_start(o_.model.init, *network_, info_); !said.empty()) console_.note(said);
}

void Run::begin(RunFolder folder, Json config) {
  folder_.emplace(std::move(folder));
  const Json known = facts();
  identity_ = run_identity(known, config["options"]).dump();
  config.update(known);
  if (!data_.folder.empty()) config["images"]["folder"] = legal_text(data_.folder);
  write("config.json", config.dump(2) + "\n");
  if (team_ && team_->size() > 1) save_last();  // there is something to resume, whenever a process is lost
}

void Run::resume(RunFolder folder, Json config, bool longer) {
  folder_.emplace(std::move(folder));
  const std::string file = path("last.safetensors");
  if (!saved()) {
    fail(
        Fault::missing,
        "{} is not there: the run was stopped before it had saved a checkpoint; train --config {} --out {} --overwrite "
        "starts it again",
        file, path("config.json"), folder_->path());
  }
  const SafeTensors stored = read_safetensors(file);
  check_generation(stored, file);
  identity_ = run_identity(facts(), config["options"]).dump();
  check_json(metadata(stored, "run", file), file + ": its \"run\"");
  nlohmann::json before = nlohmann::json::parse(metadata(stored, "run", file));
  if (!before.is_object()) fail(Fault::bad_file, "{}: its \"run\" is not a JSON object", file);
  int64_t epochs = o_.epochs;  // planned
  if (longer && before.contains("options") && before["options"].is_object()) {
    nlohmann::json& there = before["options"]["epochs"];
    if (there.is_number_integer()) epochs = there.get<int64_t>();
    check(epochs <= o_.epochs, "--resume: {} is a run of {}; --epochs can make it longer, not shorter, got {}",
          folder_->path(), counted(epochs, "epoch"), o_.epochs);
    there = o_.epochs;
  }
  check_same(file, before, nlohmann::json::parse(identity_));
  restore(*network_, stored);
  state_ = unpack_training(stored, kept_state(), file);
  if (state_.epoch < 1 || state_.epoch > o_.epochs + 1 || state_.batch < 0 || state_.batch > loader_.batches()) {
    fail(Fault::bad_file, "{}: it stands in epoch {} after batch {}, which is not in a run of {} epochs of {}", file,
         state_.epoch, state_.batch, o_.epochs, loader_.batches());
  }
  if (state_.epoch > 1) {
    rows_ = read_log_csv(path("log.csv"));
    // The log may be ahead of the checkpoint, never behind it.
    if (static_cast<int64_t>(rows_.size()) < state_.epoch - 1)
      fail(Fault::bad_file,
           "{}: must have a row for each of the {} finished epochs, has {}; restore the file, or start the run again",
           path("log.csv"), state_.epoch - 1, rows_.size());
    rows_.resize(static_cast<size_t>(state_.epoch - 1));
  }
  if (epochs < o_.epochs) {
    const auto warmup = std::llround(o_.warmup * static_cast<double>(loader_.batches()));
    const Schedule old = parse_schedule(o_.schedule, o_.lr, epochs, loader_.batches(), warmup);
    const int64_t last = std::max<int64_t>(step_number() - 1, 0);
    console_.note(
        fmt::format("--resume: {} epochs instead of {}: the schedule {} now covers all of them; the learning rate "
                    "changes from {:.3g} to {:.3g}",
                    o_.epochs, epochs, o_.schedule, old.at(last), schedule_.at(step_number())));
    // The state first: if only one of the two files is written, the same command can still resume.
    save_last();
    write("config.json", config.dump(2) + "\n");
  }
}

int Run::operator()() {
  console_.note(fmt::format(
      "{} ({}), norm {}, {}{}, on {}: {} to train on{}, {} to test; {}; into {}", o_.model.model,
      shape_text(info_.model.input), o_.model.norm, counted(parameter_count(*network_), "parameter"),
      o_.freeze > 0 ? " of which " + thousands(static_cast<double>(trained_count())) + " are trained" : "", o_.data,
      counted(data_.train.size(), "image"),
      data_.validation.size() > 0 ? fmt::format(", {} to choose the epoch by", data_.validation.size()) : "",
      thousands(static_cast<double>(data_.test.size())), counted(threads(), "thread"), folder_->path()));
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

void Run::train_epoch() {
  loader_.begin_epoch(state_.epoch, state_.batch);
  for (Batch batch; !stopped() && loader_.next(batch);) {
    step(batch);
    if (o_.checkpoint_every > 0 && step_number() % o_.checkpoint_every == 0) save_last();
    progress_.show_training(state_);
  }
}

void Run::step(const Batch& batch) {
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
std::optional<Score> Run::score(const Dataset& data, const char* what, const Views& views) {
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

// The log is written first, so that a run killed in between resumes from the checkpoint.
void Run::finish_epoch(const EpochRow& row, const Score& test, const Score& chooser) {
  rows_.push_back(row);
  const bool best = chooser.correct > state_.best_correct;
  if (best) {
    state_.best_epoch = state_.epoch;
    state_.best_correct = chooser.correct;
    state_.best_test_correct = test.correct;
  }
  const TrainState next{.epoch = state_.epoch + 1,
                        .test_correct = test.correct,
                        .best_epoch = state_.best_epoch,
                        .best_correct = state_.best_correct,
                        .best_test_correct = state_.best_test_correct};
  write("log.csv", log_csv(rows_, data_.validation.size() > 0));
  write("curves.svg", draw_run(fmt::format("{} with norm {} on {}", o_.model.model, o_.model.norm, o_.data), rows_));
  if (best) write("best.safetensors", pack_network(*network_, info_));
  state_ = next;
  save_last();
  if (writes()) folder_->replace_earlier();
  progress_.row(row, best);
}

void Run::save_last() {
  for (const Tensor& w :
       values(optimizer_->parameters())) {  // the last step may have diverged after its loss was computed
    if (std::all_of(w.data(), w.data() + w.size(), [](real v) { return std::isfinite(v); })) continue;
    fail(Fault::failed, "the run diverged: after epoch {}, step {}, weights are not finite. {}", state_.epoch,
         step_number(), advice());
  }
  SafeTensors file = pack_network(*network_, info_);
  pack_training(state_, kept_state(), file);
  file.metadata["run"] = identity_;
  write("last.safetensors", file);
}

int Run::stop() {
  const int number = signal_;
  save_last();
  console_.note(
      fmt::format("evenkeel: stopped by {} in epoch {} after {} of {}; saved {}. To go on: evenkeel train --resume {}",
                  number == SIGINT ? "Ctrl-C" : "SIGTERM", state_.epoch, state_.batch,
                  counted(loader_.batches(), "step"), path("last.safetensors"), folder_->path()));
  return 128 + number;
}

// The state to save besides weights, running averages and random streams.
std::vector<Parameter> Run::kept_state() const {
  std::vector<Parameter> kept = optimizer_->state();
  if (average_)
    for (const Parameter& p : average_->state()) kept.push_back(p);
  return kept;
}

// Once, after everything else is saved: replaces the last weights by the averaged ones, and recomputes the running
// averages for them. False if a signal stopped it.
bool Run::finish_average() {
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
bool Run::test_on_views() {
  const Views views = test_views(data_.test.flips);
  const std::optional<Score> test = score(data_.test, "testing", views);
  if (!test) return false;
  console_.print(fmt::format("on {} views of each test image: test accuracy {:.4f} ({} of {})", views.size(),
                             test->accuracy(), test->correct, test->count));
  return true;
}

// Training images, drawn by the seed and normalised, to fit whitening.
Tensor Run::some_images() const {
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
std::string Run::advice() const {
  return "A smaller --lr, --warmup or --clip may help. " +
         (saved() ? "The last good checkpoint is " + path("last.safetensors") : "Nothing was saved yet");
}

// Sets whether OpenBLAS computes products. Returns their precision, if all processes can compute in it.
Precision prepare_products(const TrainOptions& options, Team* team) {
  Precision precision = Precision::float32;
  attempt(team, [&] {
    precision = blaming(options.file, [&] {
      check(!options.blas || options.precision == "float32",
            "--blas: OpenBLAS computes in float32, so it cannot be combined with --precision {}; leave one of them out",
            options.precision);
      set_blas(options.blas);
      return precision_of(options.precision);
    });
  });
  return precision;
}

// The run, if all processes can make it and have the same program, options and data.
std::unique_ptr<Run> make_run(const TrainOptions& options, const Json& config, const Registry& registry, Team* team) {
  std::unique_ptr<Run> run;
  attempt(team, [&] {
    const int64_t size = team ? team->size() : 1;
    check(options.shards % size == 0,
          "--shards: the {} processes of mpirun must share them evenly, got {}; give a multiple of {}", size,
          options.shards, size);
    run = blaming(options.file, [&] { return std::make_unique<Run>(options, registry, team); });
  });
  if (!team) return run;
  Json facts = run_identity(run->facts(), config["options"]);
  for (const char* name : {"evenkeel", "level"}) facts[name] = config[name];
  check_same_everywhere(*team, nlohmann::json::parse(facts.dump()));
  return run;
}

}  // namespace

int train(const TrainOptions& options, Json config, const Json& known, const Registry& registry, Team* team) {
  const UsePrecision precision(prepare_products(options, team));
  const bool numbered = options.numbered && !options.overwrite, first = !team || team->rank() == 0;
  using Use = RunFolder::Use;
  const Use use = options.overwrite ? Use::overwrite : Use::fresh;
  attempt(team, [&] {  // fail before the data is read
    if (!first) return;
    if (numbered)
      RunFolder::check_usable(fs::absolute(options.out).parent_path().string(), Use::look);
    else
      RunFolder::check_usable(options.out, use);
  });
  const std::unique_ptr<Run> run = make_run(options, config, registry, team);
  attempt(team, [&] {
    Json facts = run->facts();
    for (const char* name : {"network", "images", "normalization"}) {
      if (!known.contains(name)) facts.erase(name);
    }
    check_same("--config", known, nlohmann::json::parse(facts.dump()));
    run->take_weights();
  });
  if (options.check) {
    if (first) note("the run can begin; --check trains and writes nothing");
    return 0;
  }
  attempt(team, [&] {
    run->begin(!first     ? RunFolder(options.out, Use::look)
               : numbered ? RunFolder::first_free(options.out)
                          : RunFolder(options.out, use),
               std::move(config));
  });
  if (team) check_same_everywhere(*team, run->position());
  return (*run)();
}

int resume(const TrainOptions& options, Json config, bool longer, RunFolder folder, const Registry& registry,
           Team* team) {
  const UsePrecision precision(prepare_products(options, team));
  const std::unique_ptr<Run> run = make_run(options, config, registry, team);
  attempt(team, [&] { run->resume(std::move(folder), std::move(config), longer); });
  if (team) check_same_everywhere(*team, run->position());
  return (*run)();
}

}  // namespace evenkeel
