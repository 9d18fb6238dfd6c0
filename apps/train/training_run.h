// A training run: its network, images and optimiser, its loop over the epochs, and its files.
#pragma once
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "apps/cli/interrupt.h"
#include "apps/cli/program.h"
#include "apps/distributed/team.h"
#include "apps/formats/network_file.h"
#include "apps/train/options.h"
#include "apps/train/progress.h"
#include "apps/train/run_folder.h"
#include "apps/train/training_data.h"
#include "apps/trainer/evaluate.h"
#include "apps/trainer/trainer.h"
#include "optim/average.h"
#include "optim/schedule.h"

namespace evenkeel {

class TrainingRun {
 public:
  // Reads the images and makes the network. Error if the run cannot begin. All processes of `team`, if there is one,
  // call it and the functions below.
  TrainingRun(const TrainOptions& options, const Registry& registry, Team* team);

  nlohmann::ordered_json facts() const;     // on network and images, as in config.json
  nlohmann::ordered_json position() const;  // in the run, with a sum over the weights

  // A new run takes its weights, then begins; another one resumes. `config` and `longer`: see run.h.
  void take_weights();
  void begin(RunFolder folder, nlohmann::ordered_json config);
  void resume(RunFolder folder, nlohmann::ordered_json config, bool longer);
  int operator()();  // trains, tests and saves; returns the exit status

 private:
  std::unique_ptr<Sequential> make_network(const Vocabulary& layers) const;
  void check_smallest_batch() const;
  bool stopped();
  int64_t step_number() const { return (state_.epoch - 1) * loader_.batches() + state_.batch; }

  void train_epoch();
  void step(const Batch& batch);
  std::optional<Score> score(const Dataset& data, const char* what, const Views& views = {View()});
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

  // In checkpoints.cpp:
  std::string path(const char* file) const { return *folder_ / file; }
  bool writes() const { return !team_ || team_->rank() == 0; }
  bool saved() const;  // whether there is something to resume
  void write(const char* file, const std::string& text) const;
  void write(const char* file, const SafeTensors& content) const;
  void finish_epoch(const EpochRow& row, const Score& test, const Score& chooser);
  void keep_epoch();
  void save_last();
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

}  // namespace evenkeel
