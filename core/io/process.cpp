#include "core/io/process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <exception>
#include <utility>

#if defined(__linux__)
#include <sys/prctl.h>
#endif

#include "core/base/check.h"

namespace evenkeel {
namespace {

struct Pipe {
  Pipe() {
#if defined(__linux__)
    const int error = ::pipe2(ends, O_CLOEXEC);  // a fork in another thread must not inherit the ends
#else
    const int error = ::pipe(ends);
    for (int end : ends) ::fcntl(end, F_SETFD, FD_CLOEXEC);
#endif
    if (error != 0) fail(Fault::io, "process: no pipe: {}", std::strerror(errno));
    for (int& end : ends) {  // it must not have the number of a standard stream that is closed here
      if (end > STDERR_FILENO) continue;
      const int low = std::exchange(end, ::fcntl(end, F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
      const int why = errno;
      ::close(low);
      if (end < 0) fail(Fault::io, "process: no pipe: {}", std::strerror(why));
    }
  }
  ~Pipe() {
    for (int i : {0, 1}) close(i);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  void close(int i) {
    if (ends[i] >= 0) ::close(ends[i]);
    ends[i] = -1;
  }
  int ends[2];  // to read from, to write to
};

// In the child, between fork and exec: only calls that POSIX allows there.
[[noreturn]] void become(char* const* arguments, const ProcessOptions& options, pid_t parent, int text, int errors) {
#if defined(__linux__)
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(127);  // the parent ended before prctl()
#else
  (void)parent;
#endif
  if (options.most_bytes_a_file > 0) {
    const auto most = static_cast<rlim_t>(options.most_bytes_a_file);
    const rlimit limit{most, most};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    ::signal(SIGXFSZ, SIG_IGN);  // then the write fails
  }
  ::signal(SIGPIPE, SIG_DFL);  // an ignored signal would stay ignored
  ::dup2(text, options.captured);
  ::execvp(arguments[0], arguments);
  const int error = errno;
  [[maybe_unused]] const ssize_t n = ::write(errors, &error, sizeof error);
  ::_exit(127);
}

}  // namespace

ProcessResult run_process(const std::vector<std::string>& command, const ProcessOptions& options) {
  check(!command.empty(), "process: a command needs the name of a program");
  std::vector<char*> arguments;
  for (const std::string& a : command) arguments.push_back(const_cast<char*>(a.c_str()));
  arguments.push_back(nullptr);
  Pipe text, errors;
  const pid_t parent = ::getpid(), child = ::fork();
  if (child == 0) become(arguments.data(), options, parent, text.ends[1], errors.ends[1]);
  if (child < 0) fail(Fault::io, "process: cannot start {}: {}", command[0], std::strerror(errno));
  text.close(1);
  errors.close(1);

  ProcessResult result;
  std::exception_ptr stopped;
  for (pollfd waiting{text.ends[0], POLLIN, 0}; !stopped;) {
    char buffer[4096];
    const bool silent = ::poll(&waiting, 1, 200) <= 0;
    const ssize_t n = silent ? -1 : ::read(text.ends[0], buffer, sizeof buffer);
    if (n == 0) break;  // the stream is closed
    if (n > 0) result.text.append(buffer, std::min(static_cast<size_t>(n), options.most_text - result.text.size()));
    try {
      if (options.meanwhile) options.meanwhile();
    } catch (...) {
      stopped = std::current_exception();
      ::kill(child, SIGKILL);
    }
  }
  int status = 0, error = 0, lost = 0;
  do lost = ::waitpid(child, &status, 0) < 0 ? errno : 0;
  while (lost == EINTR);
  if (stopped) std::rethrow_exception(stopped);
  if (::read(errors.ends[0], &error, sizeof error) == sizeof error)
    fail(Fault::io, "process: cannot start {}: {}", command[0], std::strerror(error));
  if (lost)
    fail(Fault::io,
         "process: the exit status of {} is lost: {}; do not ignore SIGCHLD, and do not wait for it elsewhere",
         command[0], std::strerror(lost));
  while (!result.text.empty() && std::isspace(static_cast<unsigned char>(result.text.back()))) result.text.pop_back();
  result.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return result;
}

std::string shell_text(const std::vector<std::string>& command) {
  std::string text;
  for (const std::string& word : command) {
    const bool plain = !word.empty() && word.find_first_not_of(
                                            "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                            "_-+=:,./@%") == std::string::npos;
    if (!text.empty()) text += ' ';
    if (plain) {
      text += word;
      continue;
    }
    text += '\'';
    for (char c : word) text += c == '\'' ? "'\\''" : std::string(1, c);
    text += '\'';
  }
  return text;
}

}  // namespace evenkeel
