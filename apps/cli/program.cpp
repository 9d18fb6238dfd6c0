#include "apps/cli/program.h"

#include <fmt/core.h>

#include <csignal>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <memory>
#include <new>
#include <string>

#include "apps/cli/command.h"
#include "apps/cli/console.h"
#include "apps/cli/interrupt.h"
#include "apps/cli/options.h"
#include "apps/cli/usage.h"
#include "apps/distributed/team.h"
#include "core/base/check.h"

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
    {"fold", fold_command, "Fold each batch normalisation into the weights of the layer before it."},
    {"lab", lab_command, "Test each claim about batch normalisation by an experiment."},
    {"practice", practice_command, "Write and repair batch normalisation yourself, with a verdict at each save."},
    {"completion", completion_command, "Print a shell's completion script, or the manual page."},
};

int report(Fault fault, const std::string& message) {
  note("evenkeel: " + message);
  return static_cast<int>(fault);
}

// A fault of the command line; of the processes that mpirun started for train, one prints it.
int refuse(const CLI::App& app, const std::string& wrong) {
  const std::unique_ptr<Team> team = app.got_subcommand("train") ? join_team(60) : nullptr;
  return as_one(team.get(), [&]() -> int { fail(Fault::usage, "{}", wrong); });
}

int run(int argc, char** argv, const Registry& registry) {
  CLI::App app("evenkeel: trains neural networks, with and without batch normalisation.", "evenkeel");
  const auto layout = std::make_shared<HelpLayout>();
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
    let_last_count(app);
    // Last: sub-commands inherit what is set before them.
    app.footer(
        "If an option is given twice, the last value counts.\n"
        "Exit status: 0 success, 1 the run failed, 2 usage, 3 something is missing, 4 a file is bad, 5 input or "
        "output failed, 130 stopped by Ctrl-C, 143 by SIGTERM. Try evenkeel train --help");
    try {
      app.parse(argc, argv);
    } catch (const CLI::Success& success) {  // --help, --version
      return app.exit(success);
    } catch (const CLI::ParseError& error) {
      return refuse(app, usage_fault(app, &error));
    }
    if (const std::string wrong = usage_fault(app); !wrong.empty()) return refuse(app, wrong);
    return action();
  } catch (const Stopped& stopped) {
    note(fmt::format("evenkeel: stopped by {} before any work", stopped.signal == SIGINT ? "Ctrl-C" : "SIGTERM"));
    return 128 + stopped.signal;
  } catch (const Error& error) {
    return report(error.fault, error.what());
  } catch (const std::bad_alloc&) {
    return report(Fault::failed, "out of memory; a smaller --batch-size needs less");
  } catch (const std::filesystem::filesystem_error& error) {  // of a path that cannot be one
    return report(Fault::io, fmt::format("{}: {}", error.path1().string(), error.code().message()));
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
