// evenkeel completion: shell completion and the manual page, generated from the declared options.
#include <algorithm>
#include <cctype>
#include <functional>
#include <string>
#include <vector>

#include "apps/cli/command.h"
#include "apps/cli/console.h"
#include "apps/cli/text.h"
#include "core/base/check.h"

namespace evenkeel {
namespace {

using Apps = std::vector<const CLI::App*>;

// "" for the program itself, "train", "data show".
std::string path_of(const CLI::App& app) {
  if (!app.get_parent()) return "";
  const std::string above = path_of(*app.get_parent());
  return above.empty() ? app.get_name() : above + " " + app.get_name();
}

Apps children(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App*) { return true; });
}

// The program and all its commands, parents first.
Apps all_of(const CLI::App& app) {
  Apps all{&app};
  for (const CLI::App* child : children(app))
    for (const CLI::App* below : all_of(*child)) all.push_back(below);
  return all;
}

std::vector<const CLI::Option*> options_of(const CLI::App& app, bool positional) {
  return app.get_options([&](const CLI::Option* o) { return o->get_positional() == positional; });
}
bool takes_value(const CLI::Option& option) { return option.get_expected_max() > 0; }

std::string replaced(std::string text, const std::vector<std::pair<char, std::string>>& by) {
  std::string result;
  for (const char c : text) {
    const auto found = std::find_if(by.begin(), by.end(), [&](const auto& pair) { return pair.first == c; });
    result += found == by.end() ? std::string(1, c) : found->second;
  }
  return result;
}
// In a shell's single quotes.
std::string in_quotes(const std::string& text) { return "'" + replaced(text, {{'\'', "'\\''"}, {'\n', " "}}) + "'"; }

// The commands typed so far, by a loop for both bash and zsh.
std::string walk(const CLI::App& program) {
  std::string known;
  for (const CLI::App* app : all_of(program))
    if (app->get_parent()) known += (known.empty() ? "" : "|") + in_quotes(" " + path_of(*app));
  return "    case \"$path_ $word\" in (" + known + ") path_=\"$path_ $word\" ;; esac\n";
}

std::string bash(const CLI::App& program) {
  std::string text =
      "_evenkeel() {\n  local word path_='' names='' options=''\n"
      "  for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n" +
      walk(program) + "  done\n  case \"$path_\" in\n";
  for (const CLI::App* app : all_of(program)) {
    std::string names, options;
    for (const CLI::App* child : children(*app)) names += (names.empty() ? "" : " ") + child->get_name();
    for (const CLI::Option* o : options_of(*app, false)) options += (options.empty() ? "" : " ") + o->get_name();
    const std::string path = path_of(*app);
    text += fmt::format("    ({}) names={} options={} ;;\n", in_quotes(path.empty() ? "" : " " + path),
                        in_quotes(names), in_quotes(options));
  }
  return text +
         "  esac\n  word=${COMP_WORDS[COMP_CWORD]}\n"
         "  case $word in\n    (-*) COMPREPLY=($(compgen -W \"$options\" -- \"$word\")) ;;\n"
         "    (*) COMPREPLY=($(compgen -W \"$names\" -- \"$word\")) ;;\n  esac\n}\n"
         "complete -o default -F _evenkeel evenkeel\n";
}

std::string zsh(const CLI::App& program) {
  // A colon separates a name from its description.
  const auto described = [](const std::string& name, const std::string& help) {
    return " " + in_quotes(replaced(name, {{':', "\\:"}}) + ":" + help);
  };
  std::string text =
      "#compdef evenkeel\n_evenkeel() {\n  local word path_=''\n  local -a names options\n"
      "  for word in \"${(@)words[2,CURRENT-1]}\"; do\n" +
      walk(program) + "  done\n  case \"$path_\" in\n";
  for (const CLI::App* app : all_of(program)) {
    std::string names, options;
    for (const CLI::App* child : children(*app)) names += described(child->get_name(), child->get_description());
    for (const CLI::Option* o : options_of(*app, false)) options += described(o->get_name(), o->get_description());
    const std::string path = path_of(*app);
    text += fmt::format("    ({})\n      names=({})\n      options=({}) ;;\n",
                        in_quotes(path.empty() ? "" : " " + path), names, options);
  }
  return text +
         "  esac\n  if [[ $PREFIX == -* ]]; then _describe -o option options\n"
         "  elif (( $#names )); then _describe command names\n  else _files\n  fi\n}\n"
         "if [ \"$funcstack[1]\" = _evenkeel ]; then _evenkeel \"$@\"; else compdef _evenkeel evenkeel; fi\n";
}

std::string fish(const CLI::App& program) {
  std::string text;
  for (const CLI::App* app : all_of(program)) {
    std::string here;  // fish's condition: this command is on the line, without a sub-command
    for (const CLI::App* a = app; a->get_parent(); a = a->get_parent())
      here = "__fish_seen_subcommand_from " + a->get_name() + (here.empty() ? "" : "; and " + here);
    std::string below;
    for (const CLI::App* child : children(*app)) below += " " + child->get_name();
    if (!below.empty()) here += (here.empty() ? "not " : "; and not ") + ("__fish_seen_subcommand_from" + below);
    const std::string when = "complete -c evenkeel -n " + in_quotes(here);
    for (const CLI::App* child : children(*app))
      text += when + " -f -a " + child->get_name() + " -d " + in_quotes(child->get_description()) + "\n";
    for (const CLI::Option* o : options_of(*app, false)) {
      text += when;
      for (const std::string& name : o->get_lnames()) text += " -l " + name;
      for (const std::string& name : o->get_snames()) text += " -s " + name;
      text += std::string(takes_value(*o) ? " -r" : "") + " -d " + in_quotes(o->get_description()) + "\n";
    }
  }
  return text;
}

// Escapes for roff: a period or an apostrophe at the start of a line would be a request.
std::string man(const CLI::App& program) {
  const auto plain = [](const std::string& text) {
    std::string safe = replaced(text, {{'\\', "\\e"}, {'-', "\\-"}});
    for (size_t at = 0; at < safe.size();
         at = safe.find('\n', at) == std::string::npos ? safe.size() : safe.find('\n', at) + 1)
      if (safe[at] == '.' || safe[at] == '\'') safe.insert(at, "\\&");
    return safe;
  };
  const auto list = [&](const std::vector<const CLI::Option*>& options) {
    std::string text;
    for (const CLI::Option* o : options) {
      const std::string name = o->get_positional() ? o->get_name(true) : o->get_name(false, true);
      text += ".TP\n\\fB" + plain(name) + "\\fR";
      if (!o->get_positional() && takes_value(*o)) text += " \\fI" + plain(o->get_type_name()) + "\\fR";
      text += "\n" + plain(o->get_description());
      if (!o->get_default_str().empty()) text += " [" + plain(o->get_default_str()) + "]";
      text += "\n";
    }
    return text;
  };
  std::string text = ".TH EVENKEEL 1 \"\" \"evenkeel " EVENKEEL_VERSION "\"\n.ad l\n.SH NAME\nevenkeel \\- " +
                     plain(program.get_description().substr(program.get_description().find(": ") + 2)) +
                     "\n.SH SYNOPSIS\n.B evenkeel\n.I COMMAND\n[\\fIOPTION\\fR ...]\n.SH OPTIONS\n" +
                     list(options_of(program, false));
  for (const CLI::App* app : all_of(program)) {
    if (!app->get_parent()) continue;
    std::string title = path_of(*app);
    text += (app->get_parent()->get_parent() ? ".SS " : ".SH ") + ("\"evenkeel " + title + "\"\n") +
            plain(app->get_description()) + "\n" + list(options_of(*app, true)) + list(options_of(*app, false));
    if (!app->get_footer().empty()) text += ".PP\n" + plain(app->get_footer()) + "\n";
  }
  return text + ".SH \"EXIT STATUS\"\n" + plain(program.get_footer()) + "\n";
}

}  // namespace

Action completion_command(CLI::App& app, const Registry&) {
  const std::vector<std::pair<std::string, std::function<std::string(const CLI::App&)>>> formats{
      {"bash", bash}, {"zsh", zsh}, {"fish", fish}, {"man", man}};
  const auto format = std::make_shared<std::string>();
  app.add_option("FORMAT", *format, "bash, zsh or fish: completion of commands and options; man: the manual page")
      ->required();
  app.footer("In bash: source <(evenkeel completion bash)");
  return [=, &app] {
    for (const auto& [name, print] : formats) {
      if (name != *format) continue;
      put(print(*app.get_parent()));
      return 0;
    }
    fail(Fault::usage, "completion: must be bash, zsh, fish or man, got \"{}\"", *format);
  };
}

}  // namespace evenkeel
