// A learner's folder: one file an exercise, and practice.json, which remembers what passed and which hints were seen.
#pragma once
#include <filesystem>
#include <map>
#include <string>

#include "apps/practice/exercise.h"

namespace evenkeel::practice {

class Folder {
 public:
  // Writes a new folder; one that is there must be empty. Error(Fault::usage), Error(Fault::io).
  static void create(const std::filesystem::path& path);

  // Error(Fault::bad_file) where practice.json is not there or not readable.
  explicit Folder(const std::filesystem::path& path);

  std::filesystem::path file(const Exercise& exercise) const { return path_ / (exercise.name + ".cpp"); }
  std::string source(const Exercise& exercise) const;  // Error(Fault::missing) with the way to get it back

  // What passed is kept by the sums of the source and of the grader: an edited file is open again, and an undone edit
  // is not.
  bool solved(const Exercise& exercise) const;
  void passed(const Exercise& exercise, const std::string& source);
  int hints(const Exercise& exercise) const;  // how many were shown
  void show_hint(const Exercise& exercise);   // one more, of three

  // The file as it began; the name of the copy that is kept of what it replaces.
  std::string reset(const Exercise& exercise);

 private:
  struct State {
    std::map<std::string, std::string> passed;  // sum of the source -> sum of the grader
    int hints = 0;
  };
  void save() const;
  std::filesystem::path path_;
  std::map<std::string, State> states_;
};

}  // namespace evenkeel::practice
