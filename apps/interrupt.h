// Ctrl-C, as something to ask for between two steps.
#pragma once

namespace evenkeel {

// While it lives, SIGINT and SIGTERM are noted and nothing else happens; a second one ends the process as it would have.
class Interrupt {
 public:
  Interrupt();
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  int signal() const;  // the one that came, or 0
};

}  // namespace evenkeel
