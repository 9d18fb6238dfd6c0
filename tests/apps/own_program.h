// The program with a test's own layers, optimisers and data, on the main thread of a child process.
#pragma once
#include "apps/cli/program.h"
#include "tests/apps/process.h"

inline Outcome run_with(const evenkeel::Registry& registry, Arguments arguments) {
  const Scratch files;
  arguments.insert(arguments.begin(), "evenkeel");
  const pid_t child = fork();
  if (child == 0) {
    for (const auto& [file, stream] : {std::pair("out", STDOUT_FILENO), {"err", STDERR_FILENO}})
      dup2(open((files / file).c_str(), O_CREAT | O_WRONLY, 0600), stream);
    std::vector<char*> argv;
    for (std::string& a : arguments) argv.push_back(a.data());
    _exit(evenkeel::run_program(static_cast<int>(argv.size()), argv.data(), registry));
  }
  int status = 0;
  waitpid(child, &status, 0);
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status), slurp(files / "out"), slurp(files / "err")};
}
