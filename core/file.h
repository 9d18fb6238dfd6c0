// Files written so that a reader sees the old contents or the new, never a part.
#pragma once
#include <string>
#include <string_view>

namespace evenkeel {

// Writes to a temporary file beside `path` (path + ".part"), syncs it, renames it over `path`, syncs the folder. Symbolic links are
// followed; a target that exists and is not a regular file is refused. On failure throws Error(Fault::io) and leaves the old
// file as it was and nothing beside it.
void write_file(const std::string& path, std::string_view contents);

// The whole file. Throws Error(Fault::missing) where there is none, Error(Fault::io) where it cannot be read,
// Error(Fault::bad_file) where it is larger than max_bytes.
std::string read_file(const std::string& path, size_t max_bytes = size_t{8} << 30);

}  // namespace evenkeel
