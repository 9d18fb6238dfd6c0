#include "apps/practice/screen.h"

#include <fmt/core.h>

#include <algorithm>
#include <sstream>

namespace evenkeel::practice {
namespace {

constexpr size_t width = 96;
constexpr Console::Style bold = Console::Style::bold, green = Console::Style::green;

void add_text(Lines& lines, const std::string& text, const std::string& indent = "") {
  for (const std::string& line : wrapped(text, width - indent.size())) lines.push_back({indent + line});
}

}  // namespace

std::string heading(const Exercise& e) {
  return fmt::format("{} {}   ({}, about {} minutes)", e.name.substr(0, 2), e.title,
                     e.kind == "write" ? "a piece to write" : "a program to repair", e.minutes);
}

size_t solved_count(const Folder& folder) {
  return static_cast<size_t>(
      std::count_if(exercises().begin(), exercises().end(), [&](const Exercise& e) { return folder.solved(e); }));
}

void add_task(Lines& lines, const Exercise& exercise) { add_text(lines, exercise.task); }

void add_verdict(Lines& lines, const Exercise& exercise, const Verdict& v, const std::string& source) {
  if (v.right) {
    lines.push_back({fmt::format("Right: all {} laws hold.", v.held), green});
    return;
  }
  const bool law = v.fault != "compile" && v.fault != "forbidden" && v.fault != "signature";
  if (law) lines.push_back({fmt::format("Laws that hold: {}. The next one does not:", v.held)});
  for (const std::string& line : wrapped(v.headline, width)) lines.push_back({line, bold});
  lines.push_back({""});
  for (const std::string& line : v.detail) lines.push_back({"  " + line});
  if (v.line > 0 && v.fault != "compile") {
    std::istringstream in(source);
    std::string text;
    for (int i = 0; i < v.line; ++i) std::getline(in, text);
    lines.push_back({""});
    lines.push_back({fmt::format("Look at {}.cpp, line {}:", exercise.name, v.line)});
    lines.push_back({fmt::format("{:>5} | {}", v.line, text)});
  }
  if (!v.printed.empty()) {
    lines.push_back({""});
    lines.push_back({"Your code printed:"});
    std::istringstream in(v.printed);
    int count = 0;
    for (std::string text; std::getline(in, text); ++count)
      if (count < 10) lines.push_back({"  " + text.substr(0, width)});
    if (count > 10) lines.push_back({fmt::format("  ... and {} more lines", count - 10)});
  }
}

void add_hints(Lines& lines, const Exercise& exercise, int shown) {
  const char* names[] = {"Hint 1", "Hint 2", "Hint 3, the skeleton"};
  for (int i = 0; i < shown; ++i) {
    lines.push_back({""});
    lines.push_back({names[i], bold});
    add_text(lines, exercise.hint[i]);
  }
}

void add_afterwards(Lines& lines, const Exercise& exercise) {
  lines.push_back({""});
  lines.push_back({"Why it matters", bold});
  add_text(lines, exercise.why);
  lines.push_back({""});
  lines.push_back({"Now run: evenkeel lab " + exercise.laboratory});
  if (!exercise.thread.empty()) {
    lines.push_back({""});
    lines.push_back({"Somebody met this", bold});
    add_text(lines, exercise.thread);
  }
  lines.push_back({""});
  lines.push_back({"A model solution", bold});
  std::istringstream in(exercise.solution);
  for (std::string text; std::getline(in, text);)
    if (!text.starts_with("#include")) lines.push_back({text.empty() ? text : "    " + text});
}

void add_list(Lines& lines, const Folder& folder) {
  size_t longest = 0;
  for (const Exercise& e : exercises()) longest = std::max(longest, e.title.size());
  for (const Exercise& e : exercises()) {
    const bool solved = folder.solved(e);
    lines.push_back({fmt::format("{}  {} {:<{}} {:<7} {:>2} minutes", solved ? "solved" : "open  ", e.name.substr(0, 2),
                                 e.title, longest, e.kind, e.minutes),
                     solved ? green : Console::Style::plain});
  }
  lines.push_back({fmt::format("{} of {} solved", solved_count(folder), exercises().size())});
}

}  // namespace evenkeel::practice
