// Extracts files from an archive, .tar.gz or .zip: only the bytes of named files; no permissions, folders or links.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

namespace evenkeel {

// Writes the named files, from any folder of the archive, into `folder`. Throws Error: bad_file if the archive is
// damaged or lacks a file, io if a file cannot be written.
void unpack(const std::filesystem::path& archive, const std::vector<std::string>& files,
            const std::filesystem::path& folder);

}  // namespace evenkeel
