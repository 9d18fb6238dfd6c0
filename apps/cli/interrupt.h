// Ctrl-C as a flag to check between steps.
#pragma once
#include <csignal>

namespace evenkeel {

// While an object exists, the first SIGINT or SIGTERM is only recorded; a second one ends the process. A signal that
// was ignored before (nohup, a shell's background job) stays ignored. At most one object at a time.
class Interrupt {
 public:
  Interrupt();
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  int signal() const;  // the recorded signal, or 0

 private:
  struct sigaction before_[2];
};

// Thrown when a signal stops work that has nothing to save; the program ends with 128 + signal.
struct Stopped {
  int signal;
};

}  // namespace evenkeel
