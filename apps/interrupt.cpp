#include "apps/interrupt.h"

#include <atomic>
#include <csignal>

namespace evenkeel {
namespace {

std::atomic<int> received{0};  // a signal handler can reach nothing but a global

void note(int number) { received = number; }

void handle(void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART | static_cast<int>(handler == SIG_DFL ? 0 : SA_RESETHAND);
  for (int number : {SIGINT, SIGTERM}) sigaction(number, &action, nullptr);
}

}  // namespace

Interrupt::Interrupt() {
  received = 0;
  handle(note);
}
Interrupt::~Interrupt() { handle(SIG_DFL); }
int Interrupt::signal() const { return received; }

}  // namespace evenkeel
