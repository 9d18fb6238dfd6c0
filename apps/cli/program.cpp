#include "apps/cli/program.h"

#include <fmt/core.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "apps/cli/command.h"
#include "apps/cli/console.h"
#include "apps/cli/interrupt.h"
#include "apps/cli/options.h"
#include "apps/cli/suggest.h"

namespace evenkeel {
namespace {

constexpr struct {
  const char* name;
  Command declare;
  const char* help;
} commands[] = {
    {"train", train_command, "Train a network, and save the results in a folder."},
    {"ablate", ablate_command, "Train variants of a run with the same seeds, and print what each one changes."},
    {"eval", eval_command, "Evaluate a trained network on a data set."},
    {"predict", predict_command, "Classify pictures with a trained network."},
    {"export", export_command, "Write a trained network as other programs read it: safetensors, npz, ONNX."},
    {"model", model_command, "Show a network layer by layer: output shape, parameters, work, memory."},
    {"data", data_command, "List the data sets that are here, fetch one, or show one."},
    {"bench", bench_command, "Measure the speed of training and inference here."},
    {"runs", runs_command, "List the runs in a folder: their results, and the options in which they differ."},
    {"plot", plot_command, "Draw the curves of several runs into one picture."},
    {"doctor", doctor_command, "Examine a trained network's batch normalisations, with advice."},
    {"recalibrate", recalibrate_command, "Replace running statistics by those of a data set."},
    {"fold", fold_command, "Multiply batch normalisations into the layers before them."},
    {"lab", lab_command, "Run the claims made for batch normalisation, and measure."},
    {"practice", practice_command, "Write and repair batch normalisation yourself, with a verdict at each save."},
    {"completion", completion_command, "Print a shell's completion script, or the manual page."},
};

// mpirun starts all processes with the same command line; the first one says what is wrong with it. The others' status
// is 0, because mpirun ends all of them at the first other one.
bool first_process() {
  for (const char* name : {"OMPI_COMM_WORLD_RANK", "PMI_RANK", "PMIX_RANK"})
    if (const char* rank = std::getenv(name)) return rank == std::string("0");
  return true;
}

int report(Fault fault, const std::string& message) {
  if (fault == Fault::usage && !first_process()) return 0;
  note("evenkeel: " + message);
  return static_cast<int>(fault);
}

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

// The parser takes any word for an option's value, so with --out --overwrite the folder would be called --overwrite.
std::string missing_value(const CLI::App& command) {
  for (const CLI::Option* o : command.get_options()) {
    if (o->get_positional() || o->get_items_expected_max() != 1) continue;
    for (const std::string& value : o->results()) {
      if (value.starts_with("--") && command.get_option_no_throw(value))
        return fmt::format("{}: needs a value, but the option {} follows{}", o->get_name(), value, see_help(command));
    }
  }
  return "";
}

// An option or argument that was given as "", as by a shell variable that is not set. Text to be printed may be empty.
std::string empty_value(const CLI::App& command) {
  for (const CLI::Option* o : command.get_options())
    if ((o->get_positional() ? o->get_items_expected_max() == 1 : o->get_type_name() != "TEXT") &&
        std::ranges::count(o->results(), "") > 0)
      return fmt::format("{}: must not be empty{}", o->get_name(), see_help(command));
  return "";
}

std::string usage_message(CLI::App& app, const CLI::ParseError& error) {
  CLI::App& command = innermost(app);
  const std::string help = see_help(command);
  if (const std::string missing = missing_value(command); !missing.empty()) return missing;

  // Reports an unknown word first: it is often the reason why something else is missing.
  const std::vector<std::string> unknown = command.remaining();
  if (unknown.empty()) return (std::string(error.what()).empty() ? "the command line is wrong" : error.what()) + help;
  const std::string word = unknown.front().substr(0, unknown.front().find('='));
  std::vector<std::string> known;
  if (word.starts_with("-")) {
    for (const CLI::Option* o : command.get_options()) {
      if (!o->get_positional()) known.push_back(o->get_name());
    }
    return fmt::format("unknown option {}{}{}", word, suggestion(word, known), help);
  }
  for (const CLI::App* c : command.get_subcommands({})) known.push_back(c->get_name());
  return fmt::format("{} \"{}\"{}{}", known.empty() ? "unexpected argument" : "unknown command", word,
                     suggestion(word, known), help);
}

}  // namespace

namespace {

int run(int argc, char** argv, const Registry& registry) {
  CLI::App app("evenkeel: trains neural networks, with and without batch normalisation.", "evenkeel");
  const auto layout = std::make_shared<HelpLayout>();
  layout->label("Positionals", "Arguments");
  layout->label("SUBCOMMAND", "COMMAND");
  app.formatter(layout);
  app.set_version_flag("--version", "evenkeel " EVENKEEL_VERSION, "print the version");
  app.set_help_flag("--help,-h", "print this");
  app.require_subcommand(1);
  try {
    Action action;
    for (const auto& c : commands) {
      CLI::App& sub = *app.add_subcommand(c.name, c.help);
      sub.group("Commands");
      sub.final_callback([&action, run = c.declare(sub, registry)] { action = run; });
    }
    // Last: sub-commands inherit what is set before them.
    app.footer(
        "Exit status: 0 success, 1 the run failed, 2 usage, 3 something is missing, 4 a file is bad,\n"
        "5 input or output failed, 130 interrupted. Try evenkeel train --help");
    try {
      app.parse(argc, argv);
    } catch (const CLI::Success& success) {  // --help, --version
      return app.exit(success);
    } catch (const CLI::ParseError& error) {
      return report(Fault::usage, usage_message(app, error));
    }
    if (const std::string missing = missing_value(innermost(app)); !missing.empty())
      return report(Fault::usage, missing);
    if (const std::string empty = empty_value(innermost(app)); !empty.empty()) return report(Fault::usage, empty);
    return action();
  } catch (const Stopped& stopped) {
    note(fmt::format("evenkeel: stopped by {} before any work", stopped.signal == SIGINT ? "Ctrl-C" : "SIGTERM"));
    return 128 + stopped.signal;
  } catch (const Error& error) {
    return report(error.fault, error.what());
  } catch (const std::bad_alloc&) {
    return report(Fault::failed, "out of memory; a smaller --batch-size needs less");
  } catch (const std::exception& error) {
    if (std::ferror(stdout)) return static_cast<int>(Fault::io);  // run_program says why
    return report(Fault::failed, error.what());
  }
}

}  // namespace

int run_program(int argc, char** argv, const Registry& registry) {
  // A write beyond the file size limit or to a closed pipe then fails like any other, with a message and a status.
  for (int number : {SIGXFSZ, SIGPIPE}) std::signal(number, SIG_IGN);
  const bool closed = !hold_standard_streams();
  const int status = closed ? 0 : run(argc, argv, registry);
  if (!closed && std::fflush(stdout) == 0 && !std::ferror(stdout)) return status;
  const int failed = report(
      Fault::io, closed ? "standard output is closed" : "standard output cannot be written: it is full, or was closed");
  return status ? status : failed;
}

}  // namespace evenkeel
