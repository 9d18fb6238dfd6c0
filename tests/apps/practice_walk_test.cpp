// A walk through all exercises by keys, in a terminal: from the start, by hints, a wrong key and a reset, to the model
// solution.
#include <doctest/doctest.h>
#include <poll.h>
#include <pty.h>

#include <utility>

#include "apps/practice/exercise.h"
#include "tests/apps/process.h"

using namespace evenkeel::practice;

namespace {

// `evenkeel practice` in a folder, on a terminal.
class Terminal {
 public:
  explicit Terminal(const std::string& folder) {
    const winsize size{.ws_row = 50, .ws_col = 100, .ws_xpixel = 0, .ws_ypixel = 0};
    pid_ = forkpty(&terminal_, nullptr, nullptr, &size);
    if (pid_ != 0) return;
    const std::string cache = (std::filesystem::path(EVENKEEL_PROGRAM).parent_path() / "tests/cache").string();
    setenv("XDG_CACHE_HOME", cache.c_str(), 1);
    setenv("TERM", "xterm", 1);
    if (chdir(folder.c_str()) == 0) execl(EVENKEEL_PROGRAM, "evenkeel", "practice", nullptr);
    _exit(99);
  }
  ~Terminal() {
    if (pid_ > 0) kill(pid_, SIGKILL), waitpid(pid_, nullptr, 0);
    close(terminal_);
  }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  void press(char key) { REQUIRE(write(terminal_, &key, 1) == 1); }

  // Until a whole screen, from one clearing to the line of keys at its end, has the text. A minute without any output
  // fails.
  void see(const std::string& text) {
    for (;;) {
      const size_t begin = shown_.rfind("\x1b[2J");
      const std::string screen = begin == std::string::npos ? "" : shown_.substr(begin);
      if (screen.find(text) != std::string::npos && screen.find("q quit") != std::string::npos) return;
      pollfd waiting{terminal_, POLLIN, 0};
      char buffer[4096];
      const ssize_t n = poll(&waiting, 1, 60000) > 0 ? read(terminal_, buffer, sizeof buffer) : 0;
      REQUIRE_MESSAGE(n > 0, "no \"" << text << "\" in\n" << screen);
      shown_.append(buffer, static_cast<size_t>(n));
    }
  }

  int end() {
    int status = 0;
    char buffer[4096];
    while (read(terminal_, buffer, sizeof buffer) > 0) {
    }
    waitpid(std::exchange(pid_, 0), &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }

 private:
  int terminal_ = -1;
  pid_t pid_ = 0;
  std::string shown_;
};

}  // namespace

TEST_CASE("practice: a walk by keys through all exercises, from start to solved") {
  const Scratch scratch;
  const std::string folder = scratch / "class";
  REQUIRE(run({"practice", "init", folder}).status == 0);
  Terminal t(folder);
  const std::vector<Exercise>& all = exercises();
  const auto save = [&](const Exercise& e, const std::string& text) {
    std::ofstream(folder + "/" + e.name + ".cpp") << text;
  };
  for (size_t i = 0; i < all.size(); ++i) {
    const Exercise& e = all[i];
    const std::string number = e.name.substr(0, 2);
    CAPTURE(e.name);
    t.see(number + " " + e.title);
    t.see(std::to_string(i) + " of " + std::to_string(all.size()) + " solved");
    t.see(wrapped(e.task, 96)[0]);
    if (i == 0) {
      t.see("Look at 01_moments.cpp, line");
      for (const char* hint : {"Hint 1", "Hint 2", "Hint 3, the skeleton"}) {
        t.press('h');
        t.see(hint);
      }
      t.press('l');
      t.see("open    " + number);
      // What cannot be recorded or written is said, and the program goes on.
      const auto writable = [&](const std::string& file, bool yes) {
        using std::filesystem::perms;
        std::filesystem::permissions(folder + "/" + file, perms::owner_read | (yes ? perms::owner_write : perms::none));
      };
      writable("practice.json", false);
      t.press('h');
      t.see("not recorded: ");
      writable("practice.json", true);
      save(e, e.start + "\nint unfinished(");
      t.see("does not compile");
      writable(e.name + ".cpp", false);
      t.press('x');
      t.see("it is read-only");
      writable(e.name + ".cpp", true);
      t.press('x');
      t.see("Yours is kept as 01_moments.cpp.kept2");
    } else {
      t.see("Laws that hold: ");
    }
    save(e, e.solution);
    t.see("Right: all");
    t.see("A model solution");
    t.press('n');
  }
  t.see(std::to_string(all.size()) + " of " + std::to_string(all.size()) + " solved");
  t.see(all[0].name.substr(0, 2) + " " + all[0].title);  // where nothing is open, the next one
  t.press('q');
  CHECK(t.end() == 0);
  CHECK(slurp(folder + "/01_moments.cpp.kept2") == all[0].start + "\nint unfinished(");
}
