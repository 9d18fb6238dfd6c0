// The exercises in the folders of apps/practice/exercises; apps/practice/README.md says how to write one.
#pragma once
#include <string>
#include <vector>

namespace evenkeel::practice {

// The files of one folder; the build embeds them into the program.
struct ExerciseFiles {
  const char *name, *task, *start, *grader, *solution;
};
extern const std::vector<ExerciseFiles> exercise_files;

struct Exercise {
  std::string name;  // of its folder, and of the learner's file without .cpp: "01_moments"
  std::string title, kind;
  int minutes = 0;
  std::string laboratory;              // the experiment to run afterwards
  std::string look;                    // a text in the learner's file; its line is shown as the line to look at
  std::vector<std::string> forbidden;  // library functions that would be the answer
  std::string task, hint[3], why;      // hint[2]: the skeleton
  std::string thread;                  // a report of this problem; "" if none is known
  std::string start, grader, solution;
};

Exercise parse_exercise(const ExerciseFiles& files);  // Error(Fault::bad_file) if a part is missing or unknown
const std::vector<Exercise>& exercises();             // in the order of the course

// `word` is a name ("01_moments"), its number ("01", "1") or its last part ("moments"). Error(Fault::usage) suggests
// the nearest name.
const Exercise& find_exercise(const std::string& word);

// The learner's initial file: the task as a comment, then the start.
std::string start_of(const Exercise& exercise);

// Wraps text into lines of at most `width` characters; keeps empty lines and lines that start with four spaces.
std::vector<std::string> wrapped(const std::string& text, size_t width);

}  // namespace evenkeel::practice
