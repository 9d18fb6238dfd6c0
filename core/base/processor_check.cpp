// Compiled for the oldest processor, unlike the rest of the library (CMakeLists.txt).
#include <unistd.h>

#include <cstdio>
#include <cstring>

#include "core/base/processor.h"

namespace evenkeel {

const bool processor_checked = true;

#ifdef __x86_64__
namespace {

[[gnu::constructor(101)]] void check_processor() {  // 101: before the constructors of static objects
  __builtin_cpu_init();
  const struct {
    const char* name;
    bool there;
  } extensions[] = {
      {"sse3", __builtin_cpu_supports("sse3") != 0},         {"ssse3", __builtin_cpu_supports("ssse3") != 0},
      {"sse4.1", __builtin_cpu_supports("sse4.1") != 0},     {"sse4.2", __builtin_cpu_supports("sse4.2") != 0},
      {"popcnt", __builtin_cpu_supports("popcnt") != 0},     {"avx", __builtin_cpu_supports("avx") != 0},
      {"avx2", __builtin_cpu_supports("avx2") != 0},         {"fma", __builtin_cpu_supports("fma") != 0},
      {"bmi", __builtin_cpu_supports("bmi") != 0},           {"bmi2", __builtin_cpu_supports("bmi2") != 0},
      {"avx512f", __builtin_cpu_supports("avx512f") != 0},   {"avx512cd", __builtin_cpu_supports("avx512cd") != 0},
      {"avx512bw", __builtin_cpu_supports("avx512bw") != 0}, {"avx512dq", __builtin_cpu_supports("avx512dq") != 0},
      {"avx512vl", __builtin_cpu_supports("avx512vl") != 0}, {"avx512vbmi", __builtin_cpu_supports("avx512vbmi") != 0}};
  for (const char* const* needed = processor_needs; *needed; ++needed)
    for (const auto& e : extensions)
      if (!e.there && std::strcmp(e.name, *needed) == 0) {
        std::fprintf(
            stderr,
            "evenkeel: this build needs a processor with %s, which this one has not; build it on this machine, "
            "or for any with -DEVENKEEL_NATIVE=OFF\n",
            e.name);
        _exit(3);
      }
}

}  // namespace
#endif

}  // namespace evenkeel
