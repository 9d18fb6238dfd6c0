// A sub-command: its options, and what it does once they are read. One file each; the table is in program.cpp.
#pragma once
#include <CLI/CLI.hpp>
#include <functional>

#include "layers/model/spec.h"

namespace evenkeel {

using Action = std::function<int()>;  // returns the exit status

// Adds the sub-command's options to `app`; what it returns runs after the command line has been read.
using Command = Action (*)(CLI::App& app, const Vocabulary& vocabulary);

Action train_command(CLI::App& app, const Vocabulary& vocabulary);
Action eval_command(CLI::App& app, const Vocabulary& vocabulary);
Action predict_command(CLI::App& app, const Vocabulary& vocabulary);
Action export_command(CLI::App& app, const Vocabulary& vocabulary);
Action model_command(CLI::App& app, const Vocabulary& vocabulary);
Action data_command(CLI::App& app, const Vocabulary& vocabulary);
Action bench_command(CLI::App& app, const Vocabulary& vocabulary);
Action runs_command(CLI::App& app, const Vocabulary& vocabulary);
Action plot_command(CLI::App& app, const Vocabulary& vocabulary);
Action doctor_command(CLI::App& app, const Vocabulary& vocabulary);
Action recalibrate_command(CLI::App& app, const Vocabulary& vocabulary);
Action fold_command(CLI::App& app, const Vocabulary& vocabulary);
Action lab_command(CLI::App& app, const Vocabulary& vocabulary);
Action practice_command(CLI::App& app, const Vocabulary& vocabulary);

}  // namespace evenkeel
