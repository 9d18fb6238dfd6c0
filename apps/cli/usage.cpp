#include "apps/cli/usage.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "apps/cli/suggest.h"
#include "apps/cli/text.h"

namespace evenkeel {
namespace {

// The innermost sub-command of the command line.
CLI::App& innermost(CLI::App& app) {
  const std::vector<CLI::App*> chosen = app.get_subcommands();
  return chosen.empty() ? app : innermost(*chosen.front());
}

std::string see_help(const CLI::App& command) {
  std::string path = command.get_name();
  for (const CLI::App* a = command.get_parent(); a; a = a->get_parent()) path = a->get_name() + " " + path;
  return "\n  Try " + path + " --help";
}

std::vector<std::string> commands_of(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* c : app.get_subcommands([](const CLI::App*) { return true; })) names.push_back(c->get_name());
  return names;
}

// The parser takes any word for an option's value, so with --out --overwrite the folder would be called --overwrite.
std::string missing_value(const CLI::App& command) {
  for (const CLI::Option* o : command.get_options()) {
    if (o->get_positional() || o->get_items_expected_max() != 1) continue;
    for (const std::string& value : o->results()) {
      if (value.starts_with("--") && command.get_option_no_throw(value))
        return fmt::format("{}: needs a value, but the option {} follows", o->get_name(), value);
    }
  }
  return "";
}

// An option or argument that was given as "", as by a shell variable that is not set. Text to be printed may be empty.
std::string empty_value(const CLI::App& command) {
  for (const CLI::Option* o : command.get_options())
    if ((o->get_positional() || o->get_type_name() != "TEXT") && std::ranges::count(o->results(), "") > 0)
      return fmt::format("{}: must not be empty", o->get_name());
  return "";
}

std::string unknown_option(const CLI::App& command, const std::string& word) {
  std::vector<std::string> known;
  for (const CLI::Option* o : command.get_options())
    if (!o->get_positional()) known.push_back(o->get_name());
  return fmt::format("unknown option {}{}", word, suggestion(word, known));
}

std::string unknown_words(const CLI::App& command) {
  const std::vector<std::string> unknown = command.remaining();
  if (unknown.empty()) return "";
  const std::string word = unknown.front().substr(0, unknown.front().find('='));
  if (word.starts_with("-")) return unknown_option(command, word);
  const std::vector<std::string> known = commands_of(command);
  return fmt::format("{} \"{}\"{}", known.empty() ? "unexpected argument" : "unknown command", word,
                     suggestion(word, known));
}

std::string in_own_words(const CLI::App& command, const CLI::ParseError& error) {
  const std::string said = error.what();
  if (dynamic_cast<const CLI::RequiredError*>(&error)) {
    for (const CLI::Option* o : command.get_options())
      if (o->get_required() && o->count() == 0) return o->get_name() + " is required";
    return "a command is required: " + joined(commands_of(command));
  }
  if (dynamic_cast<const CLI::ArgumentMismatch*>(&error))
    return said.substr(0, said.find(": ")) + ": needs a value, and none follows";
  return said.empty() ? "the command line is wrong" : said;  // "--lr: must be a number ..."
}

}  // namespace

void let_last_count(CLI::App& app) {
  for (CLI::Option* o : app.get_options([](const CLI::Option*) { return true; }))
    if (!o->get_positional() && o->get_multi_option_policy() == CLI::MultiOptionPolicy::Throw &&
        o->get_items_expected_max() == 1)
      o->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  for (CLI::App* below : app.get_subcommands([](const CLI::App*) { return true; })) let_last_count(*below);
}

std::string usage_fault(CLI::App& app, const CLI::ParseError* error) {
  const CLI::App& command = innermost(app);
  std::string wrong = missing_value(command);
  // An unknown word before the rest: it is often the reason why something else is missing.
  if (wrong.empty() && error) wrong = unknown_words(command);
  if (wrong.empty()) wrong = error ? in_own_words(command, *error) : empty_value(command);
  return wrong.empty() ? "" : wrong + see_help(command);
}

}  // namespace evenkeel
