// A training run's report after every epoch: log.csv, and its plots.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "apps/report/plot.h"

namespace evenkeel {

struct EpochRow {
  int64_t epoch = 0;                          // from 1
  double lr = 0;                              // at its last step
  double train_loss = 0, train_accuracy = 0;  // means over the epoch's images, in training
  double test_loss = 0, test_accuracy = 0;    // after it
  double images_per_second = 0;               // of training
  double seconds = 0;                         // of the whole epoch, evaluation included
  std::optional<double> validation_loss, validation_accuracy;
};

// The columns epoch,lr,train_loss,train_accuracy,test_loss,test_accuracy,images_per_second,seconds, and with a
// validation split also validation_loss,validation_accuracy.
std::string log_csv(const std::vector<EpochRow>& rows, bool validation);
std::vector<EpochRow> read_log_csv(const std::string& path);
std::vector<EpochRow> parse_log_csv(const std::string& text, const std::string& name);  // name: for messages

// Loss and accuracy of one run, on the training, the test and the validation images.
std::string draw_run(const std::string& title, const std::vector<EpochRow>& rows);

struct NamedLog {
  std::string name;
  std::vector<EpochRow> rows;
};
struct RunsPicture {
  bool test = false;  // the test curves too
  double smooth = 0;  // w, 0 <= w < 1: exponential moving average, an epoch weighs w times as much as the next one
};
// Loss and accuracy of several runs, at most most_styles, on the training images, and on the validation images of runs
// that have some. A run has the same colour and dash in every chart.
std::string draw_runs(const std::string& title, const std::vector<NamedLog>& runs, const RunsPicture& options);

}  // namespace evenkeel
