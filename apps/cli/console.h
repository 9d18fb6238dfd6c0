// The program's output: permanent lines on stdout, and on a terminal one live line below them.
//
// Colours and other escape sequences go only to a terminal, and not if NO_COLOR is set.
#pragma once
#include <fmt/core.h>

#include <string>
#include <utility>

namespace evenkeel {

class Console {
 public:
  Console();
  ~Console() { clear(); }
  Console(const Console&) = delete;
  Console& operator=(const Console&) = delete;

  enum class Style { plain, bold, green };
  void print(const std::string& line, Style style = Style::plain);  // a permanent line
  void note(const std::string& line);  // on stderr: for a person, not for a program that reads the output
  void live(const std::string& line);  // replaces the live line; does nothing if stdout is not a terminal
  void clear();                        // removes the live line
  void wipe();                         // clears the whole terminal

  bool terminal() const { return terminal_; }
  size_t columns() const;  // of the live line

 private:
  bool terminal_, color_;
  size_t live_width_ = 0;  // including spaces over an earlier, longer line: they wrap too when the terminal narrows
  void erase();
};

// All text for a terminal or a pipe goes through printable(), here and in Console, because it may come from a file or a
// path.
void put(const std::string& text);  // to stdout; run_program checks the stream for failures at the end
template <class... Args>
void say(fmt::format_string<Args...> format, Args&&... args) {
  put(fmt::format(format, std::forward<Args>(args)...));
}
// A line on stderr, after all that was put; ignores failures.
void note(const std::string& line);

// Opens /dev/null for a closed standard input or error, so that messages never go into a file opened later. False if
// standard output is closed.
bool hold_standard_streams();

// A bar of `width` characters, `fraction` of it filled.
std::string progress_bar(double fraction, int width);
std::string duration(double seconds);                          // "0:07", "12:34", "1:02:03"
std::string thousands(double value);                           // "12,345"
std::string counted(int64_t number, const std::string& noun);  // "1 image", "12,345 images"

}  // namespace evenkeel
