#include "apps/cli/console.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "apps/cli/text.h"

namespace evenkeel {
namespace {

bool set(const char* variable) {
  const char* value = std::getenv(variable);
  return value && *value;
}

// All lines of a message but the first begin with a space. Another newline is a name's, and is escaped, so that no name
// can fake a message.
std::string message(const std::string& text) {
  std::string lines;
  for (size_t i = 0; i < text.size(); ++i)
    lines += text[i] == '\n' && (i + 1 == text.size() || text[i + 1] != ' ') ? "\\x0a" : text.substr(i, 1);
  return printable(lines);
}

size_t terminal_columns() {
  winsize size{};
  return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

}  // namespace

Console::Console() {
  const char* kind = std::getenv("TERM");
  terminal_ = isatty(STDOUT_FILENO) && !(kind && std::string_view(kind) == "dumb");
  color_ = terminal_ && !set("NO_COLOR");
}

void Console::print(const std::string& line, Style style) {
  clear();
  const char* code = style == Style::bold ? "\x1b[1m" : "\x1b[32m";
  const bool styled = color_ && style != Style::plain;
  std::fputs(fmt::format("{}{}{}\n", styled ? code : "", message(line), styled ? "\x1b[0m" : "").c_str(), stdout);
  std::fflush(stdout);
}

void Console::note(const std::string& line) {
  clear();
  evenkeel::note(line);
}

size_t Console::columns() const { return terminal_columns() - 1; }

void Console::live(const std::string& line) {
  if (!terminal_) return;
  const std::string shown = printable(line).substr(0, columns());
  if (live_width_ > columns()) erase();
  live_width_ = std::max(live_width_, shown.size());
  fmt::print("\r{:<{}}", shown, live_width_);
  std::fflush(stdout);
}

void Console::clear() {
  if (live_width_ == 0) return;
  erase();
  std::fflush(stdout);
}

// Overwrites with spaces. If the terminal has become narrower, the line has wrapped, and erasing takes an escape
// sequence.
void Console::erase() {
  const size_t rows = (live_width_ - 1) / (columns() + 1);
  if (rows > 0)
    fmt::print("\x1b[{}A\r\x1b[J", rows);
  else
    fmt::print("\r{:{}}\r", "", live_width_);
  live_width_ = 0;
}

void Console::wipe() {
  clear();
  if (terminal_) std::fputs("\x1b[2J\x1b[3J\x1b[H", stdout);
}

void put(const std::string& text) { std::fputs(printable(text).c_str(), stdout); }

void note(const std::string& line) {
  std::fflush(stdout);  // both may be one file
  std::fputs((message(line) + "\n").c_str(), stderr);
}

bool hold_standard_streams() {
  const bool writable = fcntl(STDOUT_FILENO, F_GETFD) >= 0;
  for (int number : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (fcntl(number, F_GETFD) < 0) open("/dev/null", O_RDWR);  // gets the lowest free number: this one
  }
  return writable;
}

std::string progress_bar(double fraction, int width) {
  const int filled = std::clamp(static_cast<int>(std::lround(fraction * width)), 0, width);
  return fmt::format("[{:#<{}}{:-<{}}]", "", filled, "", width - filled);
}

std::string duration(double seconds) {
  const int64_t s = std::llround(std::clamp(seconds, 0.0, 1e9));
  if (s < 3600) return fmt::format("{}:{:02}", s / 60, s % 60);
  return fmt::format("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60);
}

std::string counted(int64_t number, const std::string& noun) {
  return thousands(static_cast<double>(number)) + " " + noun + (number == 1 ? "" : "s");
}

std::string thousands(double value) {
  const std::string digits = fmt::format("{:.0f}", std::abs(value));
  std::string text(value < 0 ? 1 : 0, '-');
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) text += ',';
    text += digits[i];
  }
  return text;
}

}  // namespace evenkeel
