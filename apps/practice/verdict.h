// A verdict: compiles a learner's file, runs the laws of its exercise, and describes the result.
#pragma once
#include <string>
#include <vector>

#include "apps/practice/workshop.h"

namespace evenkeel::practice {

struct Verdict {
  bool right = false;
  // Why not: a law's name, or "compile", "forbidden", "signature", "crash", "time", "output", "exit".
  std::string fault;
  size_t held = 0;                  // laws that hold: all, or those before the broken one
  int line = 0;                     // the line of the learner's file to look at; 0: unknown
  std::string headline;             // a sentence
  std::vector<std::string> detail;  // numbers side by side, or the compiler's messages
  std::string printed;              // output of the learner's code, at most 1 MB
};

// `symbol`: the mangled name of the grader's function; "": that of `grader`.
Verdict judge(const Workshop& workshop, const Exercise& exercise, const std::string& grader, const std::string& file);

// The same for a compiled file: `source` is its text.
Verdict judge_object(const Workshop& workshop, const Exercise& exercise, const std::string& grader,
                     const std::string& object, const std::string& source, const std::string& symbol = "");

}  // namespace evenkeel::practice
