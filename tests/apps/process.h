// Starts the real program like a user's shell, but in a temporary folder, which removes files written without --out,
// and without the user's data sets.
#pragma once
#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <functional>
#include <sstream>
#include <string>
#include <vector>

#include "tests/scratch.h"

inline std::string slurp(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return (std::ostringstream() << file.rdbuf()).str();
}

inline bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

// The words of each line.
inline std::vector<std::vector<std::string>> words(const std::string& text) {
  std::vector<std::vector<std::string>> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) {
    std::istringstream cells(line);
    lines.emplace_back();
    for (std::string cell; cells >> cell;) lines.back().push_back(cell);
  }
  return lines;
}

using Arguments = std::vector<std::string>;

struct Outcome {
  int status;  // the exit status; of a process that a signal ended, minus the signal
  std::string out, err;
  rusage used{};  // ru_maxrss: its peak of memory in KiB
};

class Process {
 public:
  // `environment`: settings NAME=VALUE besides the inherited ones. On a terminal, both streams end up in out.
  // `prepare`: called in the new process last of all before the program takes its place.
  explicit Process(const Arguments& arguments, const Arguments& environment = {}, bool on_terminal = false,
                   const std::function<void()>& prepare = {}) {
    // A signal that comes before the program has begun is the new process's, and the test runner's handlers are not.
    sigset_t all, before;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    if (on_terminal) {
      const winsize size{.ws_row = 40, .ws_col = 120, .ws_xpixel = 0, .ws_ypixel = 0};
      pid_ = forkpty(&terminal_, nullptr, nullptr, &size);
    } else {
      pid_ = fork();
    }
    if (pid_ == 0)
      for (const int number : {SIGINT, SIGTERM}) signal(number, SIG_DFL);
    sigprocmask(SIG_SETMASK, &before, nullptr);
    if (pid_ != 0) return;
    if (!on_terminal) {
      dup2(open((files_ / "out").c_str(), O_CREAT | O_WRONLY, 0600), STDOUT_FILENO);
      dup2(open((files_ / "err").c_str(), O_CREAT | O_WRONLY, 0600), STDERR_FILENO);
    }
    if (chdir(files_.path.c_str()) != 0) _exit(98);
    for (const char* variable : {"HOME", "XDG_CACHE_HOME"}) setenv(variable, files_.path.c_str(), 1);
    for (const char* variable : {"EVENKEEL_DATA", "EVENKEEL_MIRROR"}) unsetenv(variable);
    for (const std::string& setting : environment) putenv(const_cast<char*>(setting.c_str()));
    std::vector<char*> argv{const_cast<char*>("evenkeel")};
    for (const std::string& a : arguments) argv.push_back(const_cast<char*>(a.c_str()));
    argv.push_back(nullptr);
    if (prepare) prepare();
    execv(EVENKEEL_PROGRAM, argv.data());
    _exit(99);
  }

  void send(int signal) { kill(pid_, signal); }
  bool ended() const {
    siginfo_t what{};
    return waitid(P_PID, static_cast<id_t>(pid_), &what, WEXITED | WNOHANG | WNOWAIT) != 0 || what.si_pid != 0;
  }

  Outcome wait() {
    std::string shown;
    if (terminal_ >= 0) {
      char buffer[4096];
      for (ssize_t n; (n = read(terminal_, buffer, sizeof buffer)) > 0;) shown.append(buffer, static_cast<size_t>(n));
      close(terminal_);
    }
    int status = 0;
    rusage used{};
    wait4(pid_, &status, 0, &used);
    const int code = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    return {code, terminal_ >= 0 ? shown : slurp(files_ / "out"), slurp(files_ / "err"), used};
  }

 private:
  Scratch files_;
  int terminal_ = -1;
  pid_t pid_ = 0;
};

// Waits until the condition holds or the process ends; whether it holds. After some minutes the process is killed.
template <class F>
bool wait_until(Process& process, F condition) {
  for (int i = 0; i < 300'000; ++i) {
    if (condition()) return true;
    if (process.ended()) return condition();
    usleep(200);
  }
  process.send(SIGKILL);
  return false;
}

inline Outcome run(const Arguments& arguments, const Arguments& environment = {}) {
  return Process(arguments, environment).wait();
}

inline std::string last_line(const std::string& text) {
  const size_t end = text.find_last_not_of('\n');
  return end == std::string::npos ? "" : text.substr(text.rfind('\n', end) + 1, end - text.rfind('\n', end));
}

inline Arguments operator+(Arguments a, const Arguments& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}
