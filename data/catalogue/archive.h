// Takes files out of an archive, .tar.gz or .zip. No permissions, no folders, no links: a named file's bytes, nothing
// else.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

namespace evenkeel {

// Writes the named files, wherever in the archive they are, into the folder. Throws Error(Fault::bad_file) where the
// archive is damaged or lacks one of them, Error(Fault::io) where it cannot write.
void unpack(const std::filesystem::path& archive, const std::vector<std::string>& files,
            const std::filesystem::path& folder);

}  // namespace evenkeel
