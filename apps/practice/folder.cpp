#include "apps/practice/folder.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "apps/practice/workshop.h"
#include "core/base/check.h"
#include "core/io/file.h"
#include "core/io/json_check.h"

namespace fs = std::filesystem;

namespace evenkeel::practice {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* progress_file = "practice.json";

std::string readme() {
  return "# Practice\n\nOne file an exercise, in the order of their numbers. Each begins with its task.\n\n"
         "    evenkeel practice            # in this folder: shows a verdict each time you save\n"
         "    evenkeel practice list       # what is solved\n"
         "    evenkeel practice run 01     # one verdict\n"
         "    evenkeel practice hint 01    # one more hint; there are three\n"
         "    evenkeel practice reset 01   # the file as it began; a copy of yours is kept\n"
         "    evenkeel practice check      # all of them; --json: one line to hand in\n\n"
         "practice.json remembers what passed. The files are ordinary C++20: use the editor you like.\n";
}

}  // namespace

void Folder::create(const fs::path& path) {
  std::error_code error;
  if (fs::exists(path, error) && !(fs::is_directory(path, error) && fs::is_empty(path, error)))
    fail(Fault::usage, "practice: {} exists and is not an empty folder; name a new one", path.string());
  const bool created = fs::create_directories(path, error);
  if (error) fail(Fault::io, "practice: {} cannot be created: {}", path.string(), error.message());
  std::map<std::string, std::string> files{{"README.md", readme()},
                                           {progress_file, "{\"evenkeel practice\": 1, \"exercises\": {}}\n"}};
  for (const Exercise& e : exercises()) files[e.name + ".cpp"] = start_of(e);
  try {
    for (const auto& [name, text] : files) write_file((path / name).string(), text);
  } catch (const Error&) {
    for (const auto& [name, text] : files) fs::remove(path / name, error);
    if (created) fs::remove(path, error);
    throw;
  }
}

Folder::Folder(const fs::path& path) : path_(path) {
  const std::string file = (path / progress_file).string();
  std::error_code error;
  if (!fs::exists(file, error))
    fail(Fault::bad_file,
         "practice: {} is no practice folder, it has no {}; make one by: evenkeel practice init DIR, and go there",
         path.string(), progress_file);
  const std::string text = read_file(file, 1 << 20);
  check_json(text, file);
  try {
    const Json all = Json::parse(text);
    if (all.at("evenkeel practice") != 1)
      fail(Fault::bad_file, "practice: {} is of a later version of evenkeel; use that one", file);
    for (const auto& [name, one] : all.at("exercises").items()) {
      State& s = states_[name];
      s.hints = std::clamp(one.at("hints").get<int>(), 0, 3);
      s.passed = one.at("passed").get<std::map<std::string, std::string>>();
    }
  } catch (const Json::exception&) {
    fail(Fault::bad_file,
         "practice: {} must have \"hints\", a number, and \"passed\", an object of texts, for each exercise; replace "
         "it by that of a new practice folder: your exercises stay, and evenkeel practice check finds what is solved",
         file);
  }
}

std::string Folder::save() const {
  Json all{{"evenkeel practice", 1}, {"exercises", Json::object()}};
  for (const auto& [name, s] : states_) all["exercises"][name] = {{"hints", s.hints}, {"passed", s.passed}};
  try {
    write_file((path_ / progress_file).string(), all.dump(1) + "\n");
    return "";
  } catch (const Error& error) {
    const std::string why = error.what();
    return "not recorded: " + why.substr(0, why.find(';'));  // the rest is advice, to remove the file
  }
}

std::string Folder::source(const Exercise& exercise) const {
  std::error_code error;
  if (!fs::exists(file(exercise), error))
    fail(Fault::missing, "practice: {} is not there; evenkeel practice reset {} writes it anew",
         file(exercise).string(), exercise.name.substr(0, 2));
  return read_file(file(exercise).string(), 1 << 20);
}

bool Folder::solved(const Exercise& exercise) const {
  const auto state = states_.find(exercise.name);
  std::error_code error;
  if (state == states_.end() || !fs::exists(file(exercise), error)) return false;
  const auto known = state->second.passed.find(sha256(source(exercise)));
  return known != state->second.passed.end() && known->second == sha256(exercise.grader);
}

std::string Folder::passed(const Exercise& exercise, const std::string& source) {
  states_[exercise.name].passed[sha256(source)] = sha256(exercise.grader);
  return save();
}

int Folder::hints(const Exercise& exercise) const {
  const auto state = states_.find(exercise.name);
  return state == states_.end() ? 0 : state->second.hints;
}

std::string Folder::show_hint(const Exercise& exercise) {
  int& hints = states_[exercise.name].hints;
  hints = std::min(hints + 1, 3);
  return save();
}

std::string Folder::reset(const Exercise& exercise) {
  const fs::path path = file(exercise);
  std::string kept;
  std::error_code error;
  if (fs::exists(path, error)) {
    const std::string now = read_file(path.string(), 1 << 20);
    if (now == start_of(exercise)) return "";
    fs::path copy = path.string() + ".kept";
    for (int i = 2; fs::exists(copy, error); ++i) copy = path.string() + ".kept" + std::to_string(i);
    write_file(copy.string(), now);
    kept = copy.filename().string();
  }
  write_file(path.string(), start_of(exercise));
  return kept;
}

}  // namespace evenkeel::practice
