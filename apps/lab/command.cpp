// evenkeel lab: hands over to evenkeel-lab beside this program, which computes in double; the two scalar types do not
// mix in one.
#include "apps/cli/command.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

namespace evenkeel {

Action lab_command(CLI::App& app, const Registry&) {
  app.prefix_command();
  app.set_help_flag();
  app.set_help_all_flag();
  return [&app]() -> int {
    std::vector<std::string> arguments = app.remaining();
    std::error_code error;
    const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
    const std::string program = error ? "evenkeel-lab" : (self.parent_path() / "evenkeel-lab").string();
    arguments.insert(arguments.begin(), "evenkeel lab");
    std::vector<char*> argv;
    for (std::string& a : arguments) argv.push_back(a.data());
    argv.push_back(nullptr);
    execvp(program.c_str(), argv.data());
    fail(Fault::missing, "lab: cannot start {}: {}; build all targets, or install evenkeel", program,
         std::strerror(errno));
  };
}

}  // namespace evenkeel
