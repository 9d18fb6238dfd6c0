// Where a file of a training run is.
#pragma once
#include <filesystem>

namespace evenkeel {

// The path to read a file of a run at: in FOLDER/.ready as long as FOLDER/NAME waits there to replace an earlier run's.
// So a replacement that was cut short shows one run.
inline std::filesystem::path run_file(const std::filesystem::path& file) {
  std::error_code ignored;
  const std::filesystem::path ready = file.parent_path() / ".ready" / file.filename();
  return std::filesystem::exists(ready, ignored) ? ready : file;
}

}  // namespace evenkeel
