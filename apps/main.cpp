#include "apps/cli/program.h"

#if defined(EVENKEEL_BLAS) && defined(__linux__)
#include <sys/mman.h>
#include <unistd.h>

namespace {

// OpenBLAS maps a buffer of 128 MB when it is loaded. Where it cannot have it, 0.3.29 asks again for ever, before main.
// The functions of .preinit_array run before the constructors of the libraries.
void check_address_space(int, char**, char**) {
  constexpr size_t buffer = size_t{129} << 20;
  void* const trial = ::mmap(nullptr, buffer, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (trial == MAP_FAILED) {
    constexpr char message[] =
        "evenkeel: OpenBLAS needs 129 MB of address space and cannot have it; raise the limit (ulimit -v)\n";
    [[maybe_unused]] const auto written = ::write(STDERR_FILENO, message, sizeof message - 1);
    ::_exit(3);
  }
  ::munmap(trial, buffer);
}

[[gnu::section(".preinit_array"), gnu::used]] void (*const first)(int, char**, char**) = check_address_space;

}  // namespace
#endif

int main(int argc, char** argv) { return evenkeel::run_program(argc, argv); }
