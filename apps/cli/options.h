// Options of the program: every value is checked before a command runs; and the layout of --help.
#pragma once
#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "core/ops/matmul.h"

namespace evenkeel {

constexpr double no_limit = 1e300;

// The numbers an option accepts: low to high, low itself excluded if `above`.
struct Limits {
  double low = 0, high = no_limit;
  bool above = false;
};

// The current value is the default that --help shows.
CLI::Option* add_number(CLI::App& app, const std::string& name, double& value, Limits limits, const std::string& help);
CLI::Option* add_integer(CLI::App& app, const std::string& name, int64_t& value, int64_t low, int64_t high,
                         const std::string& help);
CLI::Option* add_seed(CLI::App& app, const std::string& name, uint64_t& value, const std::string& help);
CLI::Option* add_text(CLI::App& app, const std::string& name, std::string& value, const std::string& type,
                      const std::string& help);
CLI::Option* add_choice(CLI::App& app, const std::string& name, std::string& value,
                        const std::vector<std::string>& choices, const std::string& help);
CLI::Option* add_flag(CLI::App& app, const std::string& name, bool& value, const std::string& help);
// Sets the number of threads during parsing; default: the number of cores.
CLI::Option* add_threads(CLI::App& app);
// --precision, as text.
CLI::Option* add_precision(CLI::App& app, std::string& value);
// The text as a value. Error(Fault::usage) for bf16 where the processor does not compute it in hardware.
Precision precision_of(const std::string& text);

struct HelpLayout : CLI::Formatter {
  HelpLayout() { label("Positionals", "Arguments"); }
  std::string make_option(const CLI::Option* option, bool positional) const override;
  std::string make_subcommand(const CLI::App* command) const override;
  std::string make_footer(const CLI::App* app) const override;
  std::string make_help(const CLI::App* app, std::string name, CLI::AppFormatMode mode) const override;
};

}  // namespace evenkeel
