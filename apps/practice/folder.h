// A learner's folder: one file per exercise, and practice.json, which records solved exercises and shown hints.
#pragma once
#include <filesystem>
#include <map>
#include <string>

#include "apps/practice/exercise.h"

namespace evenkeel::practice {

class Folder {
 public:
  // Creates a folder; an existing one must be empty. Error(Fault::usage), Error(Fault::io).
  static void create(const std::filesystem::path& path);

  // Error(Fault::bad_file) if practice.json is missing or invalid.
  explicit Folder(const std::filesystem::path& path);

  std::filesystem::path file(const Exercise& exercise) const { return path_ / (exercise.name + ".cpp"); }
  std::string source(const Exercise& exercise) const;  // Error(Fault::missing), with the command that restores it

  // Solved exercises are stored by the checksums of source and grader: an edited file is open again, and solved again
  // if the edit is undone.
  bool solved(const Exercise& exercise) const;
  // Both return "", or why practice.json could not be written. What is recorded holds for this object all the same.
  std::string passed(const Exercise& exercise, const std::string& source);
  std::string show_hint(const Exercise& exercise);  // one more, of three
  int hints(const Exercise& exercise) const;        // how many were shown

  // Restores the initial file; returns the name of the copy of the learner's file.
  std::string reset(const Exercise& exercise);

 private:
  struct State {
    std::map<std::string, std::string> passed;  // checksum of the source -> checksum of the grader
    int hints = 0;
  };
  std::string save() const;
  std::filesystem::path path_;
  std::map<std::string, State> states_;
};

}  // namespace evenkeel::practice
