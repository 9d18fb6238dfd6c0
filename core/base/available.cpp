#include "core/base/available.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <string>

namespace evenkeel {

size_t memory_available() {
  size_t bytes = 0;
  std::string word;
  for (std::ifstream file("/proc/meminfo"); file >> word;)
    if (size_t kilobytes = 0; (word == "MemAvailable:" || word == "SwapFree:") && file >> kilobytes)
      bytes += kilobytes * 1024;
  if (bytes == 0) bytes = static_cast<size_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<size_t>(sysconf(_SC_PAGESIZE));
  for (const char* limit :
       {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"})  // control groups, version 2 and 1
    if (size_t allowed = 0; std::ifstream(limit) >> allowed) bytes = std::min(bytes, allowed);
  return bytes;
}

}  // namespace evenkeel
