// The files of a training run: checkpoints, log, curves and config.json.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "apps/cli/text.h"
#include "apps/train/identity.h"
#include "apps/train/training_run.h"
#include "core/io/json_check.h"

namespace evenkeel {

using Json = nlohmann::ordered_json;

bool TrainingRun::saved() const {
  std::error_code ignored;
  return std::filesystem::exists(path("last.safetensors"), ignored);
}

void TrainingRun::write(const char* file, const std::string& text) const try {
  if (writes()) write_file(path(file), text);
} catch (const Error& error) {
  fail(error.fault, "{}. When this is mended: {}", error.what(),
       saved() ? "evenkeel train --resume " + folder_->path()
               : "start the run again; it had saved no checkpoint, and leaves nothing");
}

void TrainingRun::write(const char* file, const SafeTensors& content) const {
  if (writes()) write(file, format_safetensors(content));
}

void TrainingRun::begin(RunFolder folder, Json config) {
  folder_.emplace(std::move(folder));
  const Json known = facts();
  identity_ = run_identity(known, config["options"]).dump();
  config.update(known);
  if (!data_.folder.empty()) config["images"]["folder"] = legal_text(data_.folder);
  write("config.json", config.dump(2) + "\n");
  if (team_ && team_->size() > 1) save_last();  // there is something to resume, whenever a process is lost
}

void TrainingRun::resume(RunFolder folder, Json config, bool longer) {
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
  if (!before.is_object())
    fail(Fault::bad_file, "{}: its \"run\" must be a JSON object; restore the file, or start the run again", file);
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
    fail(Fault::bad_file, "{}: it must stand within the run, {} epochs of {} batches, got epoch {} after batch {}",
         file, o_.epochs, loader_.batches(), state_.epoch, state_.batch);
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
    save_last();
  }
  // After the state: if a process is killed between the two files, the same command still resumes, and writes this one.
  if (longer) write("config.json", config.dump(2) + "\n");
}

// The log is written first, so that a run killed in between resumes from the checkpoint. best.safetensors is written
// last: it never has an epoch that the checkpoint does not know, and that a longer run would train to other weights.
void TrainingRun::finish_epoch(const EpochRow& row, const Score& test, const Score& chooser) {
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
  state_ = next;
  save_last();
  keep_epoch();
  progress_.row(row, best);
}

// What is left to do with the files after the checkpoint of a finished epoch. If a process is killed in between, the
// next one does it.
void TrainingRun::keep_epoch() {
  if (state_.epoch == 1) return;
  if (state_.epoch == state_.best_epoch + 1 && state_.batch == 0)
    write("best.safetensors", pack_network(*network_, info_));
  if (writes()) folder_->replace_earlier();
}

void TrainingRun::save_last() {
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

// The state to save besides weights, running averages and random streams.
std::vector<Parameter> TrainingRun::kept_state() const {
  std::vector<Parameter> kept = optimizer_->state();
  if (average_)
    for (const Parameter& p : average_->state()) kept.push_back(p);
  return kept;
}

}  // namespace evenkeel
