// What the program prints: lines on stdout that stay, and on a terminal one live line below them.
//
// Colours and everything else that needs an escape sequence appear on terminals alone, and not where NO_COLOR is set.
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
  void print(const std::string& line, Style style = Style::plain);  // a line that stays
  void note(const std::string& line);  // one for the reader, not for a program that reads the output: on stderr
  void live(const std::string& line);  // replaces the live line; nothing where stdout is not a terminal
  void clear();                        // removes it
  void wipe();                         // the whole terminal, to begin a screen at its top

  bool terminal() const { return terminal_; }
  size_t columns() const;  // of the live line

 private:
  bool terminal_, color_;
  size_t live_width_ = 0;  // with the spaces that are over a longer line before it: they too run over when it narrows
  void erase();
};

// All text that leaves the program for a terminal or a pipe goes through printable(), here and in Console: what a file
// or a path says is data.
void put(const std::string& text);  // to stdout; a failure stays noted in the stream, for run_program to end with
template <class... Args>
void say(fmt::format_string<Args...> format, Args&&... args) {
  put(fmt::format(format, std::forward<Args>(args)...));
}
// A line on stderr. Where that cannot be written nothing happens: there is nobody to tell.
void note(const std::string& line);

// Puts /dev/null in the place of a closed standard input or error, so that no file that is opened later gets messages
// written into it. False where standard output is closed.
bool hold_standard_streams();

// A bar of `width` characters, `fraction` of it filled.
std::string progress_bar(double fraction, int width);
std::string duration(double seconds);                          // "0:07", "12:34", "1:02:03"
std::string thousands(double value);                           // "12,345"
std::string counted(int64_t number, const std::string& noun);  // "1 image", "12,345 images"

}  // namespace evenkeel
