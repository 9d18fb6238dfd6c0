// Other programs, started by their argument vector. No shell reads a word of it.
#pragma once
#include <sys/types.h>
#include <unistd.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace evenkeel {

struct ProcessOptions {
  int captured = STDOUT_FILENO;          // the stream whose text is returned; the other ones are this process's own
  size_t most_text = 1 << 20;            // bytes of it that are kept
  int64_t most_bytes_a_file = 0;         // what the program writes beyond that fails; 0: no limit
  std::function<void()> meanwhile = {};  // called a few times a second
};

struct ProcessResult {
  int status = 0;    // the exit status, or 128 + n where signal n ended it
  std::string text;  // of the captured stream, without the newlines at its end
};

// Runs command[0], found on $PATH unless it holds a slash, with the arguments that follow, and waits for its end.
// It is killed when this thread ends. Error(Fault::io) where it cannot be started. Any thread may call this.
ProcessResult run_process(const std::vector<std::string>& command, const ProcessOptions& options = {});

// "program 'an argument'": the command as a shell would read it, for messages and for files that keep it.
std::string shell_text(const std::vector<std::string>& command);

}  // namespace evenkeel
