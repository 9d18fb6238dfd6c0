// The exercises, as the folders of apps/practice/exercises hold them; README.md there says how one is written.
#pragma once
#include <string>
#include <vector>

namespace evenkeel::practice {

// The files of one folder, word for word; the build puts them into the program.
struct ExerciseFiles {
  const char *name, *task, *start, *grader, *solution;
};
extern const std::vector<ExerciseFiles> exercise_files;

struct Exercise {
  std::string name;  // of its folder, and of the learner's file without .cpp: "01_moments"
  std::string title, kind;
  int minutes = 0;
  std::string laboratory;              // the experiment to run afterwards
  std::string look;                    // a text of the learner's file, whose line is the one to look at
  std::vector<std::string> forbidden;  // functions of the library that would be the answer
  std::string task, hint[3], why;      // hint[2]: the skeleton
  std::string thread;                  // where somebody met this; "" where none is known
  std::string start, grader, solution;
};

Exercise parse_exercise(const ExerciseFiles& files);  // Error(Fault::bad_file) where a part is missing or unknown
const std::vector<Exercise>& exercises();             // in the order of the course

// `word` is a name ("01_moments"), its number ("01", "1") or its last part ("moments"). Error(Fault::usage) suggests
// the nearest name.
const Exercise& find_exercise(const std::string& word);

// The learner's file as it begins: the task as a comment, and the start.
std::string start_of(const Exercise& exercise);

// Words into lines of at most `width` characters; lines that begin with four spaces, and empty ones, stay.
std::vector<std::string> wrapped(const std::string& text, size_t width);

}  // namespace evenkeel::practice
