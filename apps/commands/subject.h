// A trained network and its input images, for the sub-commands that inspect a network.
#pragma once
#include "apps/cli/command.h"
#include "apps/formats/network_file.h"

namespace evenkeel {

struct SubjectOptions {
  std::string file, data, data_dir, split = "train";
  int64_t samples = 0, batch_size = 256;
  bool skip_bad = false;
};
void add_subject_options(CLI::App& app, SubjectOptions& options);

struct Subject {
  NetworkFile file;
  Dataset images;
  std::vector<std::string> inputs;  // what no output may replace or lie in
  int64_t batch_size;
  Sequential& network() { return *file.network; }
  void each_batch(const std::function<void(const Batch&)>& see) const;
};
// If a run's folder was given, sets options.file to the file that is read.
Subject open_subject(SubjectOptions& options, const Registry& registry);

// Error(Fault::failed) if `computed`, which follows from the network's outputs, is not finite.
void check_outputs(const char* command, double computed);

// The number of rows of logits whose largest value belongs to another class.
int64_t changed_predictions(const Tensor& a, const Tensor& b);

}  // namespace evenkeel
