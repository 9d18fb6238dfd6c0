// A trained network and the images it is to be run on, for the sub-commands that look into one.
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
  std::string folder;  // they are read from; empty: they were drawn
  int64_t batch_size;
  Sequential& network() { return *file.network; }
  void each_batch(const std::function<void(const Batch&)>& see) const;
};
// The options' file becomes the one that is read, where a run's folder was given.
Subject open_subject(SubjectOptions& options, const Registry& registry);

}  // namespace evenkeel
