// One verdict: a learner's file compiled, run against the laws of its exercise, and what came of it in words.
#pragma once
#include <string>
#include <vector>

#include "apps/practice/workshop.h"

namespace evenkeel::practice {

struct Verdict {
  bool right = false;
  // Why not: a law's name, or "compile", "forbidden", "signature", "crash", "time", "output", "exit".
  std::string fault;
  size_t held = 0;                  // laws that hold: all of them, or those before the broken one
  int line = 0;                     // of the learner's file, to look at; 0: none is known
  std::string headline;             // a sentence
  std::vector<std::string> detail;  // numbers side by side, the compiler's words
  std::string printed;              // by the learner's code, at most a megabyte
};

// `symbol`: the grader's function, as the object file calls it; "" for that of `grader`.
Verdict judge(const Workshop& workshop, const Exercise& exercise, const std::string& grader, const std::string& file);

// The same for a file that is compiled already: `source` is its text, `name` what messages call it.
Verdict judge_object(const Workshop& workshop, const Exercise& exercise, const std::string& grader,
                     const std::string& object, const std::string& source, const std::string& symbol = "");

}  // namespace evenkeel::practice
