// What the program prints: lines on stdout that stay, and on a terminal one live line below them.
//
// Colours and everything else that needs an escape sequence appear on terminals alone, and not where NO_COLOR is set.
#pragma once
#include <string>

namespace evenkeel {

class Console {
 public:
  Console();
  ~Console() { clear(); }
  Console(const Console&) = delete;
  Console& operator=(const Console&) = delete;

  void print(const std::string& line);  // a line that stays
  void note(const std::string& line);   // one for the reader, not for a program that reads the output: on stderr
  void live(const std::string& line);   // replaces the live line; nothing where stdout is not a terminal
  void clear();                         // removes it

  bool terminal() const { return terminal_; }
  std::string bold(const std::string& text) const { return styled("1", text); }
  std::string green(const std::string& text) const { return styled("32", text); }

 private:
  std::string styled(const char* code, const std::string& text) const;
  bool terminal_, color_;
  size_t live_width_ = 0;
};

// A line on stderr. Where that cannot be written nothing happens: there is nobody to tell.
void note(const std::string& line);

// Puts /dev/null in the place of a closed standard input or error, so that no file that is opened later gets messages written into it.
// False where standard output is closed.
bool hold_standard_streams();

// A bar of `width` characters, `fraction` of it filled.
std::string progress_bar(double fraction, int width);
std::string duration(double seconds);  // "0:07", "12:34", "1:02:03"
std::string thousands(double value);   // "12,345"

}  // namespace evenkeel
