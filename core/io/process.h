// Runs other programs from an argument vector, without a shell.
#pragma once
#include <sys/types.h>
#include <unistd.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace evenkeel {

struct ProcessOptions {
  int captured = STDOUT_FILENO;          // the stream whose text is returned; the others are inherited
  size_t most_text = 1 << 20;            // bytes of it to keep
  int64_t most_bytes_a_file = 0;         // the program's limit for one file (RLIMIT_FSIZE); 0: none
  std::function<void()> meanwhile = {};  // called a few times a second
};

struct ProcessResult {
  int status = 0;    // the exit status, or 128 + n where signal n ended it
  std::string text;  // of the captured stream, without white space at its end
};

// Runs command[0] (looked up on $PATH unless it contains a slash) with the arguments that follow, and waits for it. The
// program is killed if the calling thread ends. Error(Fault::io) if it cannot be started. Thread-safe.
ProcessResult run_process(const std::vector<std::string>& command, const ProcessOptions& options = {});

// "program 'an argument'": the command quoted for a shell, for messages and files.
std::string shell_text(const std::vector<std::string>& command);

}  // namespace evenkeel
