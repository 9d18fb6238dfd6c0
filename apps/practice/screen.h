// The learner's screen, as lines.
#pragma once
#include <string>
#include <vector>

#include "apps/cli/console.h"
#include "apps/practice/folder.h"
#include "apps/practice/verdict.h"

namespace evenkeel::practice {

struct Line {
  std::string text;
  Console::Style style = Console::Style::plain;
};
using Lines = std::vector<Line>;

void add_verdict(Lines& lines, const Exercise& exercise, const Verdict& verdict, const std::string& source);
void add_task(Lines& lines, const Exercise& exercise);
void add_hints(Lines& lines, const Exercise& exercise, int shown);
void add_afterwards(Lines& lines, const Exercise& exercise);  // why it matters, what to do now, the model solution
void add_list(Lines& lines, const Folder& folder);

std::string heading(const Exercise& exercise);
size_t solved_count(const Folder& folder);

}  // namespace evenkeel::practice
