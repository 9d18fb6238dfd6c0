// The live line on a terminal whose width changes while it is up.
#include "apps/cli/console.h"

#include <doctest/doctest.h>
#include <pty.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

namespace {

using evenkeel::Console;
using Lines = std::vector<std::string>;

// What a terminal shows. As nearly all do, it lays out anew what runs over several rows when its width changes.
class Screen {
 public:
  explicit Screen(size_t columns) : columns_(columns) {}

  void show(const std::string& bytes) {
    for (size_t i = 0; i < bytes.size(); ++i) {
      const char c = bytes[i];
      std::string& line = lines_[line_];
      if (c == '\r') {
        at_ = row() * columns_;
      } else if (c == '\n') {
        REQUIRE(at_ + columns_ > line.size());  // the cursor is in the line's last row
        if (++line_ == lines_.size()) lines_.emplace_back();
        at_ = 0;
      } else if (c == '\x1b') {
        REQUIRE(bytes[i + 1] == '[');
        const size_t end = bytes.find_first_not_of("0123456789;", i + 2);
        const std::string number = bytes.substr(i + 2, end - i - 2);
        i = end;
        if (bytes[i] == 'A') up(std::stoul(number));
        if (bytes[i] == 'J') line.resize(at_), lines_.resize(line_ + 1);
      } else {
        line.resize(std::max(line.size(), at_ + 1), ' ');
        line[at_++] = c;
      }
    }
  }
  void resize(size_t columns) { columns_ = columns; }

  // Whole lines, without the spaces behind them; the last one may be empty.
  Lines lines() const {
    Lines all;
    for (const std::string& line : lines_) all.push_back(line.substr(0, line.find_last_not_of(' ') + 1));
    return all;
  }

 private:
  // Behind the last column the cursor waits in the same row for the next character.
  size_t row() const { return at_ > 0 && at_ == lines_[line_].size() ? (at_ - 1) / columns_ : at_ / columns_; }
  void up(size_t rows) {
    for (; rows > 0; --rows) {
      REQUIRE(at_ + line_ > 0);
      if (row() > 0)
        at_ -= columns_;
      else
        at_ = lines_[--line_].size() / columns_ * columns_ + at_;
    }
  }

  size_t columns_, line_ = 0, at_ = 0;
  Lines lines_ = Lines(1);
};

// Runs `program` in a process of its own on a terminal. Wherever it calls its argument, `look` is called here with what
// the terminal shows, and returns the terminal's next width. Returns what is there at the end.
Lines on_terminal(size_t columns, const std::function<void(const std::function<void()>& wait)>& program,
                  const std::function<size_t(const Lines&)>& look) {
  const auto size = [](size_t n) {
    return winsize{.ws_row = 40, .ws_col = static_cast<unsigned short>(n), .ws_xpixel = 0, .ws_ypixel = 0};
  };
  const winsize first = size(columns);
  int go[2], terminal = -1;
  REQUIRE(pipe(go) == 0);
  std::fflush(nullptr);
  const pid_t child = forkpty(&terminal, nullptr, nullptr, &first);
  if (child == 0) {
    setenv("TERM", "xterm", 1);
    program([&] {
      std::fputc('\a', stdout);
      std::fflush(stdout);
      char byte;
      if (read(go[0], &byte, 1) != 1) _exit(1);
    });
    _exit(0);
  }
  Screen screen(columns);
  std::string shown;
  char byte;
  while (read(terminal, &byte, 1) == 1) {
    if (byte != '\a') {
      shown += byte;
      continue;
    }
    screen.show(shown);
    shown.clear();
    const size_t next = look(screen.lines());
    const winsize changed = size(next);
    CHECK(ioctl(terminal, TIOCSWINSZ, &changed) == 0);
    screen.resize(next);
    CHECK(write(go[1], "g", 1) == 1);
  }
  screen.show(shown);
  int status = 1;
  CHECK(waitpid(child, &status, 0) == child);
  CHECK(status == 0);
  for (const int file : {terminal, go[0], go[1]}) close(file);
  return screen.lines();
}

}  // namespace

TEST_CASE("console: a terminal that becomes narrower or wider under the live line keeps nothing of it") {
  const std::string bar(100, '#');
  size_t looks = 0;
  const Lines end = on_terminal(
      120,
      [&](const std::function<void()>& wait) {
        Console console;
        console.print("head");
        console.live("ETA 9 " + bar);
        wait();
        console.live("ETA 8 " + bar);
        wait();
        console.print("row");
        console.live("ETA 7 " + bar);
        wait();
        console.live("ETA 6 " + bar);
        console.live("ETA 5");  // shorter: spaces over the rest
        wait();
        console.live("ETA 4");
        wait();
        console.live("ETA 3 " + bar);
        wait();
        console.note("note");
        console.live("ETA 2 " + bar);
        wait();
      },
      [&](const Lines& lines) -> size_t {
        struct {
          size_t next;
          Lines lines;
        } const expected[] = {{50, {"head", "ETA 9 " + bar}},
                              {23, {"head", "ETA 8 " + bar.substr(0, 43)}},
                              {130, {"head", "row", "ETA 7 " + bar.substr(0, 16)}},
                              {40, {"head", "row", "ETA 5"}},
                              {90, {"head", "row", "ETA 4"}},
                              {31, {"head", "row", "ETA 3 " + bar.substr(0, 83)}},
                              {20, {"head", "row", "note", "ETA 2 " + bar.substr(0, 24)}}};
        REQUIRE(looks < std::size(expected));
        CHECK(lines == expected[looks].lines);
        return expected[looks++].next;
      });
  CHECK(looks == 7);
  CHECK(end == Lines{"head", "row", "note", ""});
}
