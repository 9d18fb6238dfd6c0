// The folder of a training run: one process works in it at a time, and an earlier run's results stay until there are
// better ones.
//
//   FOLDER/.lock   who works in it; locked for as long as that process lives, however it ends
//   FOLDER/.next   the files of a run that overwrites an earlier one and has not finished an epoch yet
//   FOLDER/.ready  the same when it has: each of them now takes its place in the folder, by whichever process comes
//   next
#pragma once
#include <string>

#include "core/base/file.h"

namespace evenkeel {

class RunFolder {
 public:
  enum class Use { fresh, overwrite, resume };
  // Takes the folder, and makes it where it is not there. Error(Fault::usage) where another process works in it, and
  // for a fresh run where something is in it.
  RunFolder(const std::string& path, Use use);
  // For a fresh run: the first of path, path-2, path-3 ... that is free.
  static RunFolder first_free(const std::string& path);
  ~RunFolder();
  RunFolder(RunFolder&&) = default;

  const std::string& path() const { return path_; }
  std::string operator/(const std::string& file) const {
    return where_ + "/" + file;
  }  // where the run's file of this name is

  // To be called when the run has saved its first epoch: its files take the places of the earlier run's.
  void replace_earlier();

 private:
  explicit RunFolder(const std::string& path) : path_(path), where_(path) {}
  void lock();
  void install();

  std::string path_, where_;
  bool created_ = false, made_next_ = false;  // by this process
  Descriptor lock_;
};

// Refuses, as a fresh run does, a folder in which something is.
void check_free(const std::string& path);

// The folder of the run to go on with, which is named by itself or by its last.safetensors. Error where another file is
// named, or one beside which there is no config.json.
std::string resumed_folder(const std::string& given);

}  // namespace evenkeel
