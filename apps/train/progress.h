// A training run's output: the table of epochs, and the live line.
#pragma once
#include <chrono>

#include "apps/cli/console.h"
#include "apps/report/run_log.h"
#include "apps/train/state.h"

namespace evenkeel {

class Stopwatch {
 public:
  double seconds() const { return std::chrono::duration<double>(Clock::now() - start_).count(); }

 private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point start_ = Clock::now();
};

// The live line of a training step for a terminal of `columns` columns. The most important parts come first; parts that
// do not fit are left out.
std::string training_line(const TrainState& state, int64_t epochs, int64_t batches, double left,
                          double images_per_second, size_t columns);

class Progress {
 public:
  Progress(int64_t epochs, int64_t images, int64_t batches);  // of the run; of an epoch

  void begin(const std::vector<EpochRow>& rows, bool validation);  // the table's head, and the rows so far
  void begin_epoch();
  void trained(int64_t images) { images_here_ += images, epoch_images_ += images; }  // in a step
  // Shows the live line; without a terminal, prints one line after twenty steps.
  void show_training(const TrainState& state);
  void show_scoring(const TrainState& state, const char* doing, double part);
  void row(const EpochRow& row, bool best);

  double images_per_second() const;  // of this epoch
  double seconds() const { return epoch_clock_.seconds(); }
  Console console;

 private:
  bool due();
  double left(const TrainState& state) const;  // remaining seconds, at this process's speed so far

  int64_t epochs_, images_, batches_;
  Stopwatch run_clock_, epoch_clock_;
  double shown_ = -1;         // when the live line was last written
  int64_t images_here_ = 0;   // images that this process has trained on,
  int64_t epoch_images_ = 0;  // in this epoch
  int64_t steps_here_ = 0;
};

}  // namespace evenkeel
