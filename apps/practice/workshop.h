// The workshop: the compiler that the program was built with, what it has compiled already, and the runner.
#pragma once
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "apps/practice/exercise.h"

namespace evenkeel::practice {

// Shared objects that are loaded by evenkeel-practice, a program with the whole library inside: nothing is linked with
// the library, and CMake has no part in it. Headers are precompiled once, a grader when its exercise is first run; both
// are kept in the user's cache, in one folder for each installation and compiler, and made anew when one of these has
// changed.
class Workshop {
 public:
  // `program`: the path of evenkeel. The compiler is $CXX where that is set: one of the make that
  // evenkeel was built with, since they must name its functions in the same way.
  explicit Workshop(const std::string& program);

  // The precompiled headers and the exercise's grader are there afterwards; returns the grader. `log` is told what
  // takes seconds. Error(Fault::missing) without a compiler or headers.
  std::string prepare(const Exercise& exercise, const std::function<void(const std::string&)>& log);

  // Compiles a file into a shared object; returns what the compiler said, "" if it succeeded.
  std::string compile(const std::string& source, const std::string& object) const;

  int most_seconds = 10;  // that a learner's file may run

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
