#include "apps/practice/watch.h"

#include <fmt/core.h>
#include <poll.h>
#include <termios.h>
#include <unistd.h>

#include <optional>

#include "apps/cli/interrupt.h"
#include "apps/practice/screen.h"
#include "core/base/check.h"

namespace fs = std::filesystem;

namespace evenkeel::practice {
namespace {

constexpr int wait_ms = 50;  // polling works on every file system

// Reads single keys without echo; restores the terminal at the end.
struct SingleKeys {
  SingleKeys() {
    ::tcgetattr(STDIN_FILENO, &before);
    termios keys = before;
    keys.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
    ::tcsetattr(STDIN_FILENO, TCSANOW, &keys);
  }
  ~SingleKeys() { ::tcsetattr(STDIN_FILENO, TCSANOW, &before); }
  SingleKeys(const SingleKeys&) = delete;
  SingleKeys& operator=(const SingleKeys&) = delete;
  termios before{};
};

class Watch {
 public:
  Watch(Folder& folder, Workshop& workshop) : folder_(folder), workshop_(workshop) {}

  int run() {
    const SingleKeys keys;
    const Interrupt interrupt;  // so that the terminal is restored
    go_to_open(0);
    while (interrupt.signal() == 0) {
      if (const std::optional<std::string> now = text(); now != judged_) see(now);
      pollfd input{STDIN_FILENO, POLLIN, 0};
      if (::poll(&input, 1, wait_ms) <= 0) continue;
      char key = 0;
      if (::read(STDIN_FILENO, &key, 1) != 1 || key == 'q') break;
      press(key);
    }
    return interrupt.signal() != 0 ? 128 + interrupt.signal() : 0;
  }

 private:
  const Exercise& exercise() const { return exercises()[at_]; }

  std::optional<std::string> text() const {
    std::error_code error;
    if (!fs::exists(folder_.file(exercise()), error)) return {};
    try {
      return folder_.source(exercise());
    } catch (const Error&) {  // an editor is replacing it
      return judged_;
    }
  }

  // The next open exercise from `from` on, cyclically; `from` if all are solved.
  void go_to_open(size_t from) {
    const size_t count = exercises().size();
    for (size_t i = 0; i < count; ++i) {
      at_ = (from + i) % count;
      if (!folder_.solved(exercise())) break;
      if (i + 1 == count) at_ = from % count;
    }
    judged_ = "no text has been judged";
  }

  void see(const std::optional<std::string>& now) {
    judged_ = now;
    verdict_ = {};
    if (!now) {
      verdict_.fault = "missing";
      verdict_.headline =
          fmt::format("{} is not there. Press x to have it as it began.", folder_.file(exercise()).string());
      draw();
      return;
    }
    draw("compiling ...");
    const std::string grader = workshop_.prepare(exercise(), [&](const std::string& line) { draw(line); });
    verdict_ = judge(workshop_, exercise(), grader, folder_.file(exercise()).string());
    if (verdict_.right) note_ = folder_.passed(exercise(), *now);
    draw();
  }

  void press(char key) {
    switch (key) {
      case 'n':
        go_to_open(at_ + 1);
        break;
      case 'h':
        note_ = folder_.show_hint(exercise());
        draw();
        break;
      case 'l': {
        Lines lines;
        add_list(lines, folder_);
        show(lines);
        break;
      }
      case 'x':
        reset();
        break;
      default:
        draw();
    }
  }

  void reset() {
    try {
      const std::string kept = folder_.reset(exercise());
      judged_ = "no text has been judged";
      note_ = kept.empty() ? "The file is as it began." : "The file is as it began. Yours is kept as " + kept + ".";
    } catch (const Error& error) {
      note_ = error.what();
      draw();
    }
  }

  void draw(const std::string& busy = "") {
    Lines lines;
    const size_t solved = solved_count(folder_), all = exercises().size();
    lines.push_back(
        {fmt::format("evenkeel practice   {}  {} of {} solved",
                     progress_bar(static_cast<double>(solved) / static_cast<double>(all), 20), solved, all)});
    lines.push_back({heading(exercise()), Console::Style::bold});
    lines.push_back({"Edit and save " + folder_.file(exercise()).string()});
    lines.push_back({""});
    if (!verdict_.right) add_task(lines, exercise());
    lines.push_back({""});
    if (!busy.empty()) {
      lines.push_back({busy});
    } else {
      add_verdict(lines, exercise(), verdict_, judged_.value_or(""));
      if (verdict_.right)
        add_afterwards(lines, exercise());
      else
        add_hints(lines, exercise(), folder_.hints(exercise()));
      if (!note_.empty()) lines.push_back({note_});
      note_.clear();
    }
    show(lines);
  }

  void show(const Lines& lines) {
    console_.wipe();
    for (const Line& line : lines) console_.print(line.text, line.style);
    console_.print("");
    console_.print(fmt::format("n next open one   h hint ({} of 3 seen)   l list   x start again   q quit",
                               folder_.hints(exercise())));
  }

  Folder& folder_;
  Workshop& workshop_;
  Console console_;
  size_t at_ = 0;
  std::optional<std::string> judged_;  // the text that was judged
  Verdict verdict_;
  std::string note_;
};

}  // namespace

int watch(Folder& folder, Workshop& workshop) { return Watch(folder, workshop).run(); }

}  // namespace evenkeel::practice
