// How much memory there is.
#pragma once
#include <cstddef>

namespace evenkeel {

// Bytes that can still be allocated: available memory and free swap, at most the container's limit (cgroup).
size_t memory_available();

}  // namespace evenkeel
