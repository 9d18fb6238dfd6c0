#include "apps/cli/options.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "apps/cli/text.h"
#include "core/base/number.h"
#include "core/base/parallel.h"

namespace evenkeel {
namespace {

std::string in_words(const Limits& l) {
  const char* low = l.above ? "above" : "at least";
  return l.high == no_limit ? fmt::format("{} {}", low, l.low)
                            : fmt::format("{} {} and at most {}", low, l.low, l.high);
}

// `accepts` says whether the text is a value; `must_be` completes "must be ...".
template <class Accepts>
CLI::Option* checked(CLI::Option* option, const char* type, const std::string& must_be, Accepts accepts) {
  auto test = [=](std::string& text) {
    return accepts(text) ? std::string() : fmt::format("must be {}, got \"{}\"", must_be, text);
  };
  return option->capture_default_str()->type_name(type)->check(CLI::Validator(test, ""));
}

CLI::Option* checked_integer(CLI::Option* option, int64_t low, int64_t high) {
  return checked(option, "N", fmt::format("an integer from {} to {}", low, high), [=](const std::string& text) {
    int64_t v = 0;
    return parse_number(text, v) && v >= low && v <= high;
  });
}

// The text in lines of at most 100 columns; it begins at column `indent`, and so do its new lines. A word that is too
// long for one line is broken before a bracket.
std::string wrapped(const std::string& text, size_t indent) {
  constexpr size_t most = 100;
  std::string out;
  size_t column = indent;
  for (size_t begin = 0; begin < text.size();) {
    size_t end = std::min(text.find_first_of(" \n", begin), text.size());
    if (end - begin > most - indent) {
      const size_t bracket = text.rfind('[', begin + most - indent);
      if (bracket != std::string::npos && bracket > begin) end = bracket;
    }
    if (column > indent && column + (end - begin) > most) {
      out.erase(out.find_last_not_of(' ') + 1);
      out += "\n" + std::string(indent, ' ');
      column = indent;
    }
    out.append(text, begin, end - begin);
    column += end - begin;
    begin = end;
    if (end == text.size() || text[end] == '[') continue;
    out += text[begin++];
    column = out.back() == '\n' ? indent : column + 1;
  }
  return out;
}

std::string two_columns(const std::string& left, const std::string& right) {
  constexpr size_t first = 30;
  std::string out = fmt::format("{:<{}}", "  " + left, first);
  if (left.size() + 2 > first - 2) out += "\n" + std::string(first, ' ');
  return out + wrapped(right, first) + "\n";
}

}  // namespace

CLI::Option* add_number(CLI::App& app, const std::string& name, double& value, Limits limits, const std::string& help) {
  return checked(app.add_option(name, value, help), "NUMBER", "a number " + in_words(limits),
                 [limits](const std::string& text) {
                   double v = 0;
                   return parse_number(text, v) && std::isfinite(v) && v <= limits.high &&
                          (limits.above ? v > limits.low : v >= limits.low);
                 });
}

CLI::Option* add_integer(CLI::App& app, const std::string& name, int64_t& value, int64_t low, int64_t high,
                         const std::string& help) {
  return checked_integer(app.add_option(name, value, help), low, high);
}

CLI::Option* add_seed(CLI::App& app, const std::string& name, uint64_t& value, const std::string& help) {
  return checked(app.add_option(name, value, help), "N", fmt::format("an integer from 0 to {}", UINT64_MAX),
                 [](const std::string& text) {
                   uint64_t v = 0;
                   return parse_number(text, v);
                 });
}

CLI::Option* add_text(CLI::App& app, const std::string& name, std::string& value, const std::string& type,
                      const std::string& help) {
  return app.add_option(name, value, help)->capture_default_str()->type_name(type);
}

CLI::Option* add_choice(CLI::App& app, const std::string& name, std::string& value,
                        const std::vector<std::string>& choices, const std::string& help) {
  const std::string known = joined(choices, " or ");
  return checked(app.add_option(name, value, help + ": " + known), "WORD", known, [choices](const std::string& text) {
    return std::find(choices.begin(), choices.end(), text) != choices.end();
  });
}

CLI::Option* add_flag(CLI::App& app, const std::string& name, bool& value, const std::string& help) {
  const auto test = [](std::string& text) {
    return text == "true" || text == "false" ? std::string() : fmt::format("must be true or false, got \"{}\"", text);
  };
  return app.add_flag(name, value, help)->check(CLI::Validator(test, ""));
}

CLI::Option* add_threads(CLI::App& app) {
  auto set = [](const int64_t& n) { set_threads(static_cast<int>(n)); };
  CLI::Option* option = app.add_option_function<int64_t>(
      "--threads", set, "number of threads; results have the same bits for any number");
  return checked_integer(option, 1, most_threads)->default_str(std::to_string(threads()));
}

CLI::Option* add_precision(CLI::App& app, std::string& value) {
  return add_choice(app, "--precision", value, {"float32", "bf16"},
                    "precision of the inputs of products and convolutions (sums and all else are float32; bf16 needs a "
                    "processor with AMX)");
}

Precision precision_of(const std::string& text) {
  if (text == "float32") return Precision::float32;
  check(bf16_in_hardware(),
        "--precision: bf16 needs a processor with AMX (amx_bf16 in /proc/cpuinfo), which this processor lacks; "
        "leave the option out");
  return Precision::bf16;
}

std::string HelpLayout::make_option(const CLI::Option* option, bool positional) const {
  std::string name = positional ? option->get_name(true, false) : option->get_name(false, true);
  if (!positional && option->get_expected_max() != 0) name += " " + option->get_type_name();
  std::string help = option->get_description();
  if (!positional && option->get_required()) help += " (required)";
  if (!option->get_default_str().empty()) help += " [" + option->get_default_str() + "]";
  return two_columns(name, help);
}

std::string HelpLayout::make_subcommand(const CLI::App* command) const {
  return two_columns(command->get_name(), command->get_description());
}

std::string HelpLayout::make_footer(const CLI::App* app) const { return wrapped(CLI::Formatter::make_footer(app), 0); }

std::string HelpLayout::make_help(const CLI::App* app, std::string name, CLI::AppFormatMode mode) const {
  std::string text = CLI::Formatter::make_help(app, std::move(name), mode);
  for (size_t at; (at = text.find("\n\n\n")) != std::string::npos;) text.erase(at, 1);
  return text;
}

}  // namespace evenkeel
