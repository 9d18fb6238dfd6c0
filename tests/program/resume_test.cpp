// A run that is stopped after any step, in whatever way, and resumed ends in the same bytes as one that was not.
#include <doctest/doctest.h>
#include <fmt/core.h>

#include <sys/resource.h>
#include <sys/stat.h>

#include <cerrno>
#include <functional>
#include <regex>
#include <string_view>

#include "apps/program.h"
#include "tests/program/process.h"

namespace {

namespace fs = std::filesystem;

// 2 epochs of 4 steps, with everything that has a state: order, augmentation, dropout, averages, momentum, a schedule, held-out images.
const Arguments tiny{"train", "--samples", "68", "--validation", "4", "--batch-size", "16", "--epochs", "2", "--augment", "--warmup", "1",
                     "--norm", "batch:average=cumulative", "--model", "conv:3:3:stride=4 norm act dropout:0.2 flatten dense:classes",
                     "--checkpoint-every", "1", "--threads", "2"};
constexpr int steps = 8, epochs = 2;

// What happens to the program at its save-th checkpoint.
struct Stop {
  int save = 0;         // 0: nothing
  int signal = 0;       // it gets this signal,
  bool before = false;  // before the file is there rather than after,
  int error = 0;        // or the file cannot be put there,
  std::function<void()> change = nullptr;  // or it is there, and then this happens around it
} stop;

}  // namespace

// The linker sends the library's calls here (see tests/CMakeLists.txt).
extern "C" {
int __real_rename(const char*, const char*);
int __wrap_rename(const char* from, const char* to) {
  const bool now = stop.save > 0 && std::string_view(to).ends_with("/last.safetensors") && --stop.save == 0;
  if (now && stop.error) {
    errno = stop.error;
    return -1;
  }
  if (now && stop.before) kill(getpid(), stop.signal);
  const int result = __real_rename(from, to);
  if (now && stop.change) stop.change();
  if (now && !stop.before) kill(getpid(), stop.signal);
  return result;
}
}

namespace {

// The program in a process of its own, with its calls of rename() in our hands; the exit status, or minus the signal that ended it.
int run_stopped(const Arguments& arguments, const Stop& at, const std::string& messages = "/dev/null") {
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    stop = at;
    dup2(open("/dev/null", O_WRONLY), STDOUT_FILENO);
    dup2(open(messages.c_str(), O_WRONLY | O_CREAT, 0600), STDERR_FILENO);
    std::vector<char*> argv{const_cast<char*>("evenkeel")};
    for (const std::string& a : arguments) argv.push_back(const_cast<char*>(a.c_str()));
    _exit(evenkeel::run_program(static_cast<int>(argv.size()), argv.data()));
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

void check_same_end(const std::string& out, const std::string& whole) {
  for (const char* file : {"/last.safetensors", "/best.safetensors", "/config.json"}) CHECK_MESSAGE(slurp(out + file) == slurp(whole + file), file);
  const auto without_times = [](const std::string& path) { return std::regex_replace(slurp(path), std::regex(",[^,\n]*,[^,\n]*(,[^,\n]*,[^,\n]*\n)"), "$1"); };
  CHECK(without_times(out + "/log.csv") == without_times(whole + "/log.csv"));
  CHECK(!fs::exists(out + "/last.safetensors.part"));
}

}  // namespace

TEST_CASE("resume: after every step, however the run ended, it ends in the same bytes") {
  const Scratch scratch;
  const std::string whole = scratch / "whole";
  Stop never;
  REQUIRE(run_stopped(tiny + Arguments{"--out", whole}, never) == 0);
  // Every step saves, so does every epoch.
  const struct {
    const char* what;
    Stop stop;
    int status;
  } ways[] = {{"a signal after the step", {.signal = SIGINT}, 128 + SIGINT},
              {"kill -9 after the step was saved", {.signal = SIGKILL}, -SIGKILL},
              {"kill -9 before it was", {.signal = SIGKILL, .before = true}, -SIGKILL},
              {"a disk that is full", {.error = ENOSPC}, 5}};
  for (const auto& way : ways) {
    CAPTURE(way.what);
    for (int save = 1; save <= steps + epochs; ++save) {
      CAPTURE(save);
      const std::string out = scratch / fmt::format("{}-{}", way.what, save);
      Stop at = way.stop;
      at.save = save;
      CHECK(run_stopped(tiny + Arguments{"--out", out}, at) == (way.status == 128 + SIGINT && save == steps + epochs ? 0 : way.status));
      if (!fs::exists(out + "/last.safetensors")) {  // nothing was saved: the message says how to begin again
        CHECK(save == 1);
        const Outcome refused = run({"train", "--resume", out});
        CHECK(refused.status == 3);
        const Outcome again = run({"train", "--config", out + "/config.json", "--out", out, "--overwrite"});
        CHECK_MESSAGE(again.status == 0, again.err);
      } else {
        const Outcome resumed = run({"train", "--resume", out});
        CHECK_MESSAGE(resumed.status == 0, resumed.err);
      }
      check_same_end(out, whole);
    }
  }
}

TEST_CASE("a disk that is full, a folder that may not be written any more, or is gone: status 5, and the last good checkpoint stays") {
  const Scratch scratch;
  fs::permissions(scratch.path, fs::perms(0777));
  const std::string out = scratch / "out", kept = scratch / "kept";
  const auto keep = [&] { fs::copy_file(out + "/last.safetensors", kept, fs::copy_options::overwrite_existing); };
  const struct {
    const char* what;
    std::function<void()> change;
    const char* message;
  } ways[] = {{"full",
               [&] {
                 keep();
                 signal(SIGXFSZ, SIG_IGN);
                 const rlimit small{4096, 4096};  // less than a checkpoint, more than the messages
                 setrlimit(RLIMIT_FSIZE, &small);
               },
               "File too large"},
              {"read-only",
               [&] {
                 keep();
                 chmod(out.c_str(), 0555);
                 if (geteuid() == 0 && setuid(65534) != 0) _exit(98);  // nothing is read-only for root
               },
               "Permission denied"},
              {"gone", [&] { fs::rename(out, kept); }, "No such file or directory"}};
  for (const auto& way : ways) {
    CAPTURE(way.what);
    const std::string err = scratch / fmt::format("{}.err", way.what);
    CHECK(run_stopped(tiny + Arguments{"--out", out}, {.save = 3, .change = way.change}, err) == 5);
    CHECK_MESSAGE(slurp(err).find(way.message) != std::string::npos, slurp(err));
    CHECK_MESSAGE(slurp(err).find(out + "/last.safetensors") != std::string::npos, slurp(err));
    const bool gone = fs::is_directory(kept);
    CHECK(fs::exists(out) == !gone);
    const std::string folder = gone ? kept : out;
    if (!gone) CHECK(slurp(out + "/last.safetensors") == slurp(kept));
    CHECK(!fs::exists(folder + "/last.safetensors.part"));
    CHECK(run({"eval", folder + "/last.safetensors"}).status == 0);
    for (const std::string& path : {out, kept}) fs::remove_all(path);
  }
}
