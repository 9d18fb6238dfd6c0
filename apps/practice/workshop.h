// The workshop: the compiler, the cache of compiled files, and the runner.
#pragma once
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "apps/practice/exercise.h"

namespace evenkeel::practice {

// Compiles shared objects, which evenkeel-practice loads. That program contains the whole library, so the objects are
// not linked with it. Headers are precompiled once, a grader when its exercise first runs; both are in the user's
// cache, in one folder for each installation and compiler, and are rebuilt when one of these changes.
class Workshop {
 public:
  // `program`: the path of evenkeel. The compiler is $CXX, or the one that built evenkeel. $CXX must be of the same
  // kind (GCC or clang), so that symbols have the same names.
  explicit Workshop(const std::string& program);

  // Builds the precompiled headers and the exercise's grader if needed; returns the grader. `log` gets a line for work
  // that takes seconds. Error(Fault::missing) without a compiler or headers.
  std::string prepare(const Exercise& exercise, const std::function<void(const std::string&)>& log);

  // Compiles a file into a shared object; returns the compiler's messages, or "" on success.
  std::string compile(const std::string& source, const std::string& object) const;

  int most_seconds = 10;  // time limit of a learner's file

  const std::string& compiler() const { return compiler_; }
  const std::string& runner() const { return runner_; }
  const std::filesystem::path& cache() const { return cache_; }

 private:
  std::vector<std::string> command(const std::vector<std::string>& more) const;
  std::string compiler_, runner_, key_;
  std::vector<std::string> flags_;
  std::filesystem::path cache_;
};

std::string sha256(const std::string& text);

}  // namespace evenkeel::practice
