// A run that is stopped after any step, in whatever way, and resumed ends in the same bytes as one that was not.
#include <doctest/doctest.h>
#include <fmt/core.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cerrno>
#include <cmath>
#include <functional>
#include <nlohmann/json.hpp>
#include <regex>
#include <string_view>

#include "apps/bench/bench.h"
#include "apps/cli/program.h"
#include "layers/model/safetensors.h"
#include "tests/apps/process.h"
#include "tests/apps/run_end.h"
#include "tests/apps/tiny_data.h"

namespace {

namespace fs = std::filesystem;

const std::string& image_folder() {
  static const TinyData data(68, 40);
  return data.folder.path;
}

// 2 epochs of 4 steps, with everything that has a state: order, augmentation, dropout, averages, momentum, a schedule,
// held-out images.
const Arguments tiny_run{"train",
                         "--data",
                         "mnist",
                         "--data-dir",
                         image_folder(),
                         "--samples",
                         "68",
                         "--validation",
                         "4",
                         "--batch-size",
                         "16",
                         "--epochs",
                         "2",
                         "--augment",
                         "--warmup",
                         "1",
                         "--norm",
                         "batch:average=cumulative",
                         "--model",
                         "conv:3:3:stride=4 norm act dropout:0.2 flatten dense:classes",
                         "--checkpoint-every",
                         "1",
                         "--threads",
                         "2"};
constexpr int steps = 8, epochs = 2;

// What happens to the program at its save-th checkpoint.
struct Stop {
  int save = 0;                            // 0: nothing
  int signal = 0;                          // it gets this signal,
  bool before = false;                     // before the file is there rather than after,
  int error = 0;                           // or the file cannot be put there,
  std::function<void()> change = nullptr;  // or it is there, and then this happens around it
} stop;

// Nanoseconds of a clock that stands still but for what a test adds; below 0: the real one.
int64_t clock_now = -1, clock_of_a_save = 0;

}  // namespace

// The linker sends the library's calls here (see tests/CMakeLists.txt).
#ifdef _LIBCPP_VERSION
#define NOW(prefix) prefix##_ZNSt3__16chrono12steady_clock3nowEv
#else
#define NOW(prefix) prefix##_ZNSt6chrono3_V212steady_clock3nowEv
#endif
extern "C" {
int64_t NOW(__real_)();
int64_t NOW(__wrap_)() { return clock_now < 0 ? NOW(__real_)() : clock_now; }
int __real_rename(const char*, const char*);
int __wrap_rename(const char* from, const char* to) {
  const bool save = std::string_view(to).ends_with("/last.safetensors"),
             now = stop.save > 0 && save && --stop.save == 0;
  if (now && stop.error) {
    errno = stop.error;
    return -1;
  }
  if (now && stop.before) kill(getpid(), stop.signal);
  const int result = __real_rename(from, to);
  if (save && clock_now >= 0) clock_now += clock_of_a_save;
  if (now && stop.change) stop.change();
  if (now && !stop.before) kill(getpid(), stop.signal);
  return result;
}
}

namespace {

constexpr int64_t second = 1'000'000'000;

// The program in a process of its own, with its calls of rename() in our hands; the exit status, or minus the signal
// that ended it.
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

}  // namespace

TEST_CASE("resume: after every step, however the run ended, it ends in the same bytes") {
  const Scratch scratch;
  const std::string whole = scratch / "whole";
  Stop never;
  REQUIRE(run_stopped(tiny_run + Arguments{"--out", whole}, never) == 0);
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
      CHECK(run_stopped(tiny_run + Arguments{"--out", out}, at) ==
            (way.status == 128 + SIGINT && save == steps + epochs ? 0 : way.status));
      if (!fs::exists(out + "/last.safetensors")) {  // nothing was saved: the message says how to begin again
        CHECK(save == 1);
        const Outcome refused = run({"train", "--resume", out});
        CHECK(refused.status == 3);
        CHECK(fs::exists(out) == (way.stop.error == 0));  // a process that could tidy up has done so
        const Outcome again =
            run(fs::exists(out) ? Arguments{"train", "--config", out + "/config.json", "--out", out, "--overwrite"}
                                : tiny_run + Arguments{"--out", out});
        CHECK_MESSAGE(again.status == 0, again.err);
      } else {
        const Outcome resumed = run({"train", "--resume", out});
        CHECK_MESSAGE(resumed.status == 0, resumed.err);
      }
      check_same_end(out, whole);
    }
  }
}

TEST_CASE("resume: AdamW's averages, its count of steps and the average of the weights go on, to the byte") {
  const Scratch scratch;
  const Arguments adamw =
      tiny_run + Arguments{"--optimizer", "adamw:beta2=0.99", "--average", "0.7", "--freeze", "1", "--patience", "9"};
  REQUIRE(run_stopped(adamw + Arguments{"--out", scratch / "whole"}, {}) == 0);
  for (const int save : {1, 3, 6}) {
    CAPTURE(save);
    const std::string out = scratch / std::to_string(save);
    REQUIRE(run_stopped(adamw + Arguments{"--out", out}, {.save = save, .signal = SIGKILL}) == -SIGKILL);
    const Outcome resumed = run({"train", "--resume", out});
    CHECK_MESSAGE(resumed.status == 0, resumed.err);
    check_same_end(out, scratch / "whole");
    const bool same = slurp(out + "/average.safetensors") == slurp(scratch / "whole/average.safetensors");
    CHECK(same);
  }
}

TEST_CASE("resume: best.safetensors is of the best epoch that last.safetensors knows, wherever the run was killed") {
  const Scratch scratch;
  const Arguments constant{"train", "--samples",    "400", "--model",    "mlp:8",   "--epochs",
                           "2",     "--batch-size", "20",  "--schedule", "constant"};
  const std::string one = scratch / "one", two = scratch / "two";
  REQUIRE(run_stopped(constant + Arguments{"--epochs", "1", "--out", one}, {}) == 0);
  REQUIRE(run_stopped(constant + Arguments{"--out", two}, {}) == 0);
  const std::string first = slurp(one + "/best.safetensors"), second = slurp(two + "/best.safetensors");
  const bool improved = first != second;
  REQUIRE(improved);
  for (const bool before : {true, false}) {
    CAPTURE(before);
    const std::string out = scratch / (before ? "before" : "after");
    REQUIRE(run_stopped(constant + Arguments{"--out", out}, {.save = 2, .signal = SIGKILL, .before = before}) ==
            -SIGKILL);
    // Resumed for longer it is killed when it has saved its new schedule, then at its next checkpoint.
    const Arguments longer{"train", "--resume", out, "--epochs", "3"};
    REQUIRE(run_stopped(longer, {.save = 2, .signal = SIGKILL, .before = true}) == -SIGKILL);
    const bool agrees = slurp(out + "/best.safetensors") == (before ? first : second);
    CHECK(agrees);
  }
}

TEST_CASE("resume: a run that was killed between its last checkpoint and its move into place is moved there") {
  const Scratch scratch;
  const std::string whole = scratch / "whole", out = scratch / "run";
  const Arguments later = tiny_run + Arguments{"--epochs", "1", "--seed", "7"};
  REQUIRE(run_stopped(later + Arguments{"--out", whole}, {}) == 0);
  REQUIRE(run_stopped(tiny_run + Arguments{"--out", out}, {}) == 0);
  REQUIRE(run_stopped(later + Arguments{"--out", out, "--overwrite"}, {.save = 5, .signal = SIGKILL}) == -SIGKILL);
  const Outcome resumed = run({"train", "--resume", out});
  CHECK_MESSAGE(resumed.status == 0, resumed.err);
  CHECK(!fs::exists(out + "/.next"));
  CHECK(!fs::exists(out + "/.ready"));
  check_same_end(out, whole);
}

TEST_CASE(
    "a disk that is full, a folder that may not be written any more, or is gone: status 5, and the last good "
    "checkpoint stays") {
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
    CHECK(run_stopped(tiny_run + Arguments{"--out", out}, {.save = 3, .change = way.change}, err) == 5);
    CHECK_MESSAGE(slurp(err).find(way.message) != std::string::npos, slurp(err));
    CHECK_MESSAGE(slurp(err).find(out + "/last.safetensors") != std::string::npos, slurp(err));
    const bool gone = fs::is_directory(kept);
    CHECK(fs::exists(out) == !gone);
    const std::string folder = gone ? kept : out;
    if (!gone) CHECK(slurp(out + "/last.safetensors") == slurp(kept));
    CHECK(no_parts(folder));
    CHECK(run({"eval", folder + "/last.safetensors", "--data-dir", image_folder()}).status == 0);
    for (const std::string& path : {out, kept}) fs::remove_all(path);
  }
}

TEST_CASE(
    "resume: --checkpoint-every 3 saves after steps 3 and 6 of eight and after the epochs, and each of them is gone on "
    "from") {
  const Scratch scratch;
  const std::string whole = scratch / "whole";
  const Arguments sometimes = tiny_run + Arguments{"--checkpoint-every", "3"};
  REQUIRE(run_stopped(sometimes + Arguments{"--out", whole}, {}) == 0);
  const std::pair<int, int> places[] = {{1, 3}, {2, 0}, {2, 2}, {3, 0}};  // epoch, and batches of it done
  for (int save = 1; save <= 5; ++save) {
    CAPTURE(save);
    const std::string out = scratch / std::to_string(save);
    CHECK(run_stopped(sometimes + Arguments{"--out", out}, {.save = save, .signal = SIGKILL}) ==
          (save <= 4 ? -SIGKILL : 0));
    const auto state =
        nlohmann::json::parse(evenkeel::read_safetensors(out + "/last.safetensors").metadata.at("training"));
    const auto [epoch, batch] = places[std::min(save, 4) - 1];
    CHECK(state["epoch"] == epoch);
    CHECK(state["batch"] == batch);
    CHECK(state["seen"] == 16 * batch);
    if (save > 4) continue;
    CHECK(run({"train", "--resume", out}).status == 0);
    check_same_end(out, whole);
  }
}

// The clock moves by a second at every checkpoint and stands still else, so that each number that depends on time is
// known.
TEST_CASE(
    "resume: images a second count what this process has trained on, the remaining time what is left of the run") {
  const TinyData data(100, 20);
  const Scratch scratch;
  const std::string out = scratch / "run";
  // 50 epochs of 64 and of 36 images. What is shown on a terminal, of which only the wanted lines are returned.
  const auto shown = [&](const Arguments& arguments, const Stop& at) {
    int terminal = -1;
    const winsize size{.ws_row = 40, .ws_col = 200, .ws_xpixel = 0, .ws_ypixel = 0};
    const pid_t child = forkpty(&terminal, nullptr, nullptr, &size);
    REQUIRE(child >= 0);
    if (child == 0) {
      stop = at, clock_now = 5 * second, clock_of_a_save = second;
      setenv("TERM", "xterm", 1), setenv("NO_COLOR", "1", 1);
      std::vector<char*> argv{const_cast<char*>("evenkeel")};
      for (const std::string& a : arguments) argv.push_back(const_cast<char*>(a.c_str()));
      _exit(evenkeel::run_program(static_cast<int>(argv.size()), argv.data()));
    }
    std::string text;
    char buffer[4096];
    for (ssize_t n; (n = read(terminal, buffer, sizeof buffer)) > 0;) text.append(buffer, static_cast<size_t>(n));
    close(terminal);
    int status = 0;
    waitpid(child, &status, 0);
    CHECK_MESSAGE((WIFEXITED(status) && WEXITSTATUS(status) == 128 + SIGINT), text);
    return text;
  };
  const auto has = [](const std::string& text, const std::string& form) {
    return std::regex_search(text, std::regex(form));
  };

  const std::string first = shown({"train", "--data", "mnist", "--data-dir", data.folder.path, "--model",
                                   "flatten dense:classes", "--epochs", "50", "--checkpoint-every", "1", "--out", out},
                                  {.save = 4, .signal = SIGINT});
  // 64 images in a second, 4,936 to go; 100 in two; then, after the second that the epoch's checkpoint took, 164 in
  // four.
  CHECK_MESSAGE(
      has(first, R"(ETA 1:17  epoch 1/50  training \[#{10}-{10}\]  loss \d\.\d{4}  accuracy 0\.\d{4}  64 images/s)"),
      first);
  CHECK_MESSAGE(
      has(first, R"(ETA 1:38  epoch 1/50  training \[#{20}\]  loss \d\.\d{4}  accuracy 0\.\d{4}  50 images/s)"), first);
  CHECK_MESSAGE(has(first, R"(ETA 1:58  epoch 2/50  training \[#{10}-{10}\] .* 64 images/s)"), first);
  CHECK_MESSAGE(has(first, R"(1 +0\.05 +\d\.\d{4} +0\.\d{4} +\d\.\d{4} +0\.\d{4} +50 +2\.0)"), first);
  CHECK_MESSAGE(has(first, "stopped by Ctrl-C in epoch 2 after 1 of 2 steps"), first);
  // The live line tells of the epoch so far: after its last step, what the log says of it.
  const std::string log = slurp(out + "/log.csv");
  std::smatch row, live;
  REQUIRE(std::regex_search(log, row, std::regex("\n1,[^,]*,([^,]*),([^,]*),.*,50.0,2.000\n")));
  REQUIRE(std::regex_search(first, live, std::regex(R"(#{20}\]  loss (\S+)  accuracy (\S+))")));
  CHECK(std::abs(std::stod(live[1]) - std::stod(row[1])) <= 6e-5);
  CHECK(std::abs(std::stod(live[2]) - std::stod(row[2])) <= 6e-5);

  // Behind it: 36 images in a second, and of 4,836 to go 36 are done.
  const std::string second_part = shown({"train", "--resume", out}, {.save = 2, .signal = SIGINT});
  CHECK_MESSAGE(has(second_part, R"(ETA 2:13  epoch 2/50  training \[#{20}\] .* 36 images/s)"), second_part);
  CHECK(has(slurp(out + "/log.csv"), "\n2,.*,36.0,1.000\n"));
}

TEST_CASE("bench: median, minimum and 90th percentile of the calls that are counted") {
  const double took[] = {900, 800, 700, 7, 3, 10, 1, 8, 2, 9, 4, 6, 5};  // milliseconds; the first three are a warm-up
  const auto timed = [&](int64_t steps) {
    clock_now = 0;
    size_t i = 0;
    const evenkeel::Timing t = evenkeel::time_calls([&] { clock_now += std::llround(took[i++] * 1e6); }, steps);
    clock_now = -1;
    CHECK(i == static_cast<size_t>(steps) + 3);
    return t;
  };
  const evenkeel::Timing ten = timed(10), five = timed(5);
  CHECK(ten.ms == doctest::Approx(5.5));
  CHECK(ten.ms_min == doctest::Approx(1));
  CHECK(ten.ms_p90 == doctest::Approx(10));  // one value in ten is at least as large
  CHECK(five.ms == doctest::Approx(7));
  CHECK(five.ms_min == doctest::Approx(1));
  CHECK(five.ms_p90 == doctest::Approx(10));
}
