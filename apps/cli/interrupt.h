// Ctrl-C, as something to ask for between two steps.
#pragma once
#include <csignal>

namespace evenkeel {

// While it lives, SIGINT and SIGTERM are noted and nothing else happens; a second one ends the process.
// A signal that was ignored before (nohup, a shell's background job) stays ignored. At most one may live at a time.
class Interrupt {
 public:
  Interrupt();
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  int signal() const;  // the one that came, or 0

 private:
  struct sigaction before_[2];
};

// Thrown by work that a signal stopped and that has nothing to save; the program ends with 128 + signal.
struct Stopped {
  int signal;
};

}  // namespace evenkeel
