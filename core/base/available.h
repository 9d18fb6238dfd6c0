// How much memory there is.
#pragma once
#include <cstddef>

namespace evenkeel {

// Bytes that can be used from now on: memory that is free or can be freed, and free swap; or what the container allows.
size_t memory_available();

}  // namespace evenkeel
