// The folder of a training run: one process uses it at a time, an earlier run's results stay until the new run has
// saved its first epoch, and a new run that ends without a checkpoint leaves nothing.
//
//   FOLDER/.lock   who works in it; locked for as long as that process lives, however it ends
//   FOLDER/.next   the files of a run that overwrites an earlier one and has not finished an epoch yet
//   FOLDER/.ready  these files once that run has finished an epoch; this process or the next moves them into FOLDER.
//                  Until then readers take each from here: run_file()
#pragma once
#include <string>

#include "core/io/file.h"

namespace evenkeel {

class RunFolder {
 public:
  enum class Use { fresh, overwrite, resume, look };
  // Locks the folder, and creates it if it is missing. Error(Fault::usage) if another process uses it, or if it is not
  // empty and `use` is fresh. look: only to read the files of the run that another process resumes.
  RunFolder(const std::string& path, Use use);
  // Error if a run could not begin in the folder: if it can neither be written to nor created, if it is not empty and
  // `use` is fresh, or if `use` is overwrite and one of the run's files must not be replaced. Makes nothing.
  static void check_usable(const std::string& path, Use use);
  // For a fresh run: the first free one of path, path-2, path-3 ...
  static RunFolder first_free(const std::string& path);
  ~RunFolder();
  RunFolder(RunFolder&&) = default;

  const std::string& path() const { return path_; }
  std::string operator/(const std::string& file) const { return where_ + "/" + file; }  // the path of the run's file

  // Call it when the run has saved its first epoch: replaces the earlier run's files.
  void replace_earlier();

 private:
  explicit RunFolder(const std::string& path) : path_(path), where_(path) {}
  void lock();
  void install();

  std::string path_, where_;
  bool created_ = false;  // by this process
  bool begun_ = false;    // a run that has not finished an epoch yet, by this process
  Descriptor lock_;
};

// The folder of the run to resume, given by itself or by its last.safetensors. Error for another file, or if no
// config.json is beside it.
std::string resumed_folder(const std::string& given);

}  // namespace evenkeel
