#include "apps/cli/interrupt.h"

#include <atomic>
#include <initializer_list>

namespace evenkeel {
namespace {

constexpr int numbers[] = {SIGINT, SIGTERM};
std::atomic<int> received{0};  // a signal handler can only reach globals

void remember(int number) { received = number; }

}  // namespace

Interrupt::Interrupt() {
  received = 0;
  struct sigaction action {};
  action.sa_handler = remember;
  action.sa_flags = SA_RESTART | static_cast<int>(SA_RESETHAND);
  for (int i : {0, 1}) {
    sigaction(numbers[i], nullptr, &before_[i]);
    if (before_[i].sa_handler != SIG_IGN) sigaction(numbers[i], &action, nullptr);
  }
}

Interrupt::~Interrupt() {
  for (int i : {0, 1}) sigaction(numbers[i], &before_[i], nullptr);
}

int Interrupt::signal() const { return received; }

}  // namespace evenkeel
