// evenkeel practice: exercises to write and to repair, with a verdict at each save.
#include "apps/cli/command.h"

#include <unistd.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "apps/cli/options.h"
#include "apps/practice/page.h"
#include "apps/practice/screen.h"
#include "apps/practice/watch.h"
#include "core/io/file.h"

namespace fs = std::filesystem;

namespace evenkeel {
namespace {

using namespace practice;

struct PracticeOptions {
  std::string name, folder, out = "practice.html";
  bool json = false;
  int (*action)(const PracticeOptions&);
};

void print(const Lines& lines) {
  Console console;
  for (const Line& line : lines) console.print(line.text, line.style);
}

Folder here() { return Folder(fs::current_path()); }
Workshop workshop() {
  std::error_code error;
  const fs::path self = fs::read_symlink("/proc/self/exe", error);
  return Workshop(error ? "evenkeel" : self.string());
}
void tell(const std::string& line) { note(line); }

// `unrecorded`: receives why the folder could not record the answer; unchanged if it could.
Verdict judged(Folder& folder, Workshop& shop, const Exercise& e, std::string& unrecorded) {
  const std::string source = folder.source(e), grader = shop.prepare(e, tell);
  const Verdict v = judge(shop, e, grader, folder.file(e).string());
  if (!v.right) return v;
  if (const std::string why = folder.passed(e, source); !why.empty()) unrecorded = why;
  return v;
}
void tell_at_end(const std::string& unrecorded) {
  if (!unrecorded.empty()) tell("practice: " + unrecorded);
}

int init(const PracticeOptions& o) {
  Folder::create(o.folder);
  say("{}: {} exercises. Now:\n\n    cd {}\n    evenkeel practice\n", o.folder, exercises().size(), o.folder);
  return 0;
}

int list(const PracticeOptions&) {
  Lines lines;
  add_list(lines, here());
  print(lines);
  return 0;
}

int run(const PracticeOptions& o) {
  const Exercise& e = find_exercise(o.name);
  Folder folder = here();
  Workshop shop = workshop();
  std::string unrecorded;
  const Verdict v = judged(folder, shop, e, unrecorded);
  Lines lines{{heading(e), Console::Style::bold}};
  add_verdict(lines, e, v, folder.source(e));
  if (v.right)
    add_afterwards(lines, e);
  else
    lines.insert(lines.end(), {{""}, {"For a hint: evenkeel practice hint " + e.name.substr(0, 2)}});
  print(lines);
  tell_at_end(unrecorded);
  return v.right ? 0 : 1;
}

int hint(const PracticeOptions& o) {
  const Exercise& e = find_exercise(o.name);
  Folder folder = here();
  const std::string unrecorded = folder.show_hint(e);
  Lines lines{{heading(e), Console::Style::bold}};
  add_hints(lines, e, folder.hints(e));
  print(lines);
  tell_at_end(unrecorded);
  return 0;
}

int reset(const PracticeOptions& o) {
  const Exercise& e = find_exercise(o.name);
  const std::string kept = here().reset(e);
  say("{}.cpp is as it began{}\n", e.name, kept.empty() ? "" : "; yours is kept as " + kept);
  return 0;
}

int check_all(const PracticeOptions& o) {
  Folder folder = here();
  Workshop shop = workshop();
  nlohmann::ordered_json all{{"evenkeel", EVENKEEL_VERSION}, {"solved", 0}, {"of", exercises().size()}};
  size_t solved = 0;
  std::string unrecorded;
  for (const Exercise& e : exercises()) {
    const bool there = fs::exists(folder.file(e));
    Verdict v;
    v.fault = "missing", v.headline = "its file is not there";
    if (there) v = judged(folder, shop, e, unrecorded);
    solved += v.right;
    all["exercises"].push_back({{"name", e.name},
                                {"solved", v.right},
                                {"fault", v.fault},
                                {"hints", folder.hints(e)},
                                {"source", there ? sha256(folder.source(e)) : ""},
                                {"grader", sha256(e.grader)}});
    if (!o.json) say("{}  {}{}\n", v.right ? "solved" : "open  ", e.name, v.right ? "" : ": " + v.headline);
  }
  all["solved"] = solved;
  if (o.json)
    say("{}\n", all.dump());
  else
    say("{} of {} solved\n", solved, exercises().size());
  tell_at_end(unrecorded);
  return solved == exercises().size() ? 0 : 1;
}

int page(const PracticeOptions& o) {
  write_file(o.out, tasks_page());
  say("{}\n", o.out);
  return 0;
}

int follow(const PracticeOptions&) {
  if (!::isatty(STDIN_FILENO) || !::isatty(STDOUT_FILENO))
    fail(Fault::usage,
         "practice: following your files needs a terminal; without one there are practice list, run, hint, reset, "
         "check");
  Folder folder = here();
  Workshop shop = workshop();
  return watch(folder, shop);
}

}  // namespace

Action practice_command(CLI::App& app, const Registry&) {
  const auto o = std::make_shared<PracticeOptions>();
  o->action = follow;
  app.require_subcommand(0, 1);
  const auto command = [&](const char* name, const char* help, int (*action)(const PracticeOptions&)) -> CLI::App& {
    CLI::App& sub = *app.add_subcommand(name, help);
    sub.final_callback([o, action] { o->action = action; });
    return sub;
  };
  const auto named = [&](CLI::App& sub) {
    sub.add_option("NAME", o->name, "the exercise: its number or its name")->required();
  };
  command("init", "Write the exercises into a new folder.", init)
      .add_option("DIR", o->folder, "the folder")
      ->required();
  command("list", "Say which exercises are solved.", list);
  named(command("run", "Judge one exercise.", run));
  named(command("hint", "Show one more hint.", hint));
  named(command("reset", "Write the file as it began, and keep a copy.", reset));
  add_flag(command("check", "Judge all exercises.", check_all), "--json", o->json, "one line, to hand in");
  add_text(command("page", "Write all tasks, without answers, as a page to print.", page), "--out", o->out, "FILE",
           "the page");
  app.footer(
      "Without a command, in a practice folder: follows your file, and shows a verdict each time it is saved.\n"
      "Exit status: 0 right, 1 not yet right, 2 usage, 3 something is missing (a compiler, the file), 4 no "
      "practice folder, 5 input or output failed.");
  return [o] { return o->action(*o); };
}

}  // namespace evenkeel
