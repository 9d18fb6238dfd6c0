#include "apps/practice/exercise.h"

#include <cctype>
#include <cstdlib>
#include <map>
#include <sstream>
#include <utility>

#include "apps/cli/suggest.h"
#include "core/base/check.h"

namespace evenkeel::practice {
namespace {

std::string trimmed(const std::string& text) {
  const size_t begin = text.find_first_not_of("\n"), end = text.find_last_not_of(" \n");
  return begin == std::string::npos ? "" : text.substr(begin, end - begin + 1);
}

// The lines before the first section as "key: value", and the sections' texts, by their names.
struct Parts {
  std::string title;
  std::map<std::string, std::string> keys, sections;
};

Parts parts_of(const ExerciseFiles& files) {
  Parts parts;
  std::istringstream lines(files.task);
  std::string* section = nullptr;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("## "))
      section = &parts.sections[line.substr(3)];
    else if (section)
      *section += line + "\n";
    else if (line.starts_with("# "))
      parts.title = line.substr(2);
    else if (const size_t colon = line.find(": "); colon != std::string::npos)
      parts.keys[line.substr(0, colon)] = line.substr(colon + 2);
    else if (!line.empty())
      fail(Fault::bad_file, "exercise {}: \"{}\" is no \"key: value\", and no section has begun", files.name, line);
  }
  return parts;
}

}  // namespace

Exercise parse_exercise(const ExerciseFiles& files) {
  Parts parts = parts_of(files);
  const auto take = [&](std::map<std::string, std::string>& from, const std::string& key, bool needed = true) {
    const auto node = from.extract(key);
    if (node.empty() && needed) fail(Fault::bad_file, "exercise {}: task.md has no {}", files.name, key);
    return node.empty() ? "" : trimmed(node.mapped());
  };
  Exercise e;
  e.name = files.name;
  e.title = parts.title;
  e.kind = take(parts.keys, "kind");
  if (e.kind != "write" && e.kind != "repair")
    fail(Fault::bad_file, "exercise {}: kind must be write or repair, got {}", files.name, e.kind);
  e.minutes = std::atoi(take(parts.keys, "minutes").c_str());
  e.laboratory = take(parts.keys, "laboratory");
  e.look = take(parts.keys, "look");
  std::istringstream forbidden(take(parts.keys, "forbidden", false));
  for (std::string word; forbidden >> word;) e.forbidden.push_back(word);
  e.task = take(parts.sections, "Task");
  e.hint[0] = take(parts.sections, "Hint 1");
  e.hint[1] = take(parts.sections, "Hint 2");
  e.hint[2] = take(parts.sections, "Skeleton");
  e.why = take(parts.sections, "Why it matters");
  e.thread = take(parts.sections, "Thread", false);
  for (const auto* left : {&parts.keys, &parts.sections})
    if (!left->empty()) fail(Fault::bad_file, "exercise {}: {} is unknown", files.name, left->begin()->first);
  e.start = files.start;
  e.grader = files.grader;
  e.solution = files.solution;
  return e;
}

const std::vector<Exercise>& exercises() {
  static const std::vector<Exercise> all = [] {
    std::vector<Exercise> parsed;
    for (const ExerciseFiles& files : exercise_files) parsed.push_back(parse_exercise(files));
    return parsed;
  }();
  return all;
}

const Exercise& find_exercise(const std::string& word) {
  std::vector<std::string> known;
  for (const Exercise& e : exercises()) {
    const std::string number = e.name.substr(0, 2), words = e.name.substr(3);
    if (word == e.name || word == number || word == words || "0" + word == number || word == e.name + ".cpp") return e;
    known.push_back(words);
  }
  fail(Fault::usage, "practice: {}", unknown_word("exercise", word, known));
}

std::string start_of(const Exercise& exercise) {
  std::string text = "// " + exercise.name.substr(0, 2) + ". " + exercise.title + "\n//\n";
  for (const std::string& line : wrapped(exercise.task, 97)) text += line.empty() ? "//\n" : "// " + line + "\n";
  return text + "\n" + exercise.start;
}

std::vector<std::string> wrapped(const std::string& text, size_t width) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  std::string flowing;
  const auto flush = [&] {
    std::istringstream words(flowing);
    std::string line;
    for (std::string word; words >> word;) {
      if (!line.empty() && line.size() + 1 + word.size() > width) lines.push_back(std::exchange(line, ""));
      line += (line.empty() ? "" : " ") + word;
    }
    if (!line.empty()) lines.push_back(line);
    flowing.clear();
  };
  for (std::string line; std::getline(in, line);) {
    if (line.empty() || line.starts_with("    ")) {
      flush();
      lines.push_back(line);
    } else {
      flowing += line + "\n";
    }
  }
  flush();
  return lines;
}

}  // namespace evenkeel::practice
