// A sub-command: its options and its action. One file each; program.cpp has the table.
#pragma once
#include <CLI/CLI.hpp>
#include <functional>

#include "apps/cli/program.h"

namespace evenkeel {

using Action = std::function<int()>;  // returns the exit status

// Adds the sub-command's options to `app`, and returns the action to run after parsing.
using Command = Action (*)(CLI::App& app, const Registry& registry);

Action train_command(CLI::App& app, const Registry& registry);
Action ablate_command(CLI::App& app, const Registry& registry);
Action eval_command(CLI::App& app, const Registry& registry);
Action predict_command(CLI::App& app, const Registry& registry);
Action export_command(CLI::App& app, const Registry& registry);
Action model_command(CLI::App& app, const Registry& registry);
Action data_command(CLI::App& app, const Registry& registry);
Action bench_command(CLI::App& app, const Registry& registry);
Action runs_command(CLI::App& app, const Registry& registry);
Action plot_command(CLI::App& app, const Registry& registry);
Action doctor_command(CLI::App& app, const Registry& registry);
Action recalibrate_command(CLI::App& app, const Registry& registry);
Action fold_command(CLI::App& app, const Registry& registry);
Action lab_command(CLI::App& app, const Registry& registry);
Action practice_command(CLI::App& app, const Registry& registry);
Action completion_command(CLI::App& app, const Registry& registry);

}  // namespace evenkeel
