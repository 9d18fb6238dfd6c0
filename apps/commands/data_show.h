// evenkeel data show: examples of each class as the network sees them, and statistics of a data set.
#pragma once
#include "apps/cli/command.h"

namespace evenkeel {

Action data_show_command(CLI::App& app, const Registry& registry);

}  // namespace evenkeel
