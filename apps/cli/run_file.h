// Where a file of a training run is.
#pragma once
#include <filesystem>
#include <string>

namespace evenkeel {

// The path of a file in a run's folder, to read it: in FOLDER/.ready as long as the file waits there to replace an
// earlier run's. So a replacement that was cut short shows one run.
inline std::filesystem::path run_file(const std::filesystem::path& folder, const std::string& name) {
  std::error_code ignored;
  const std::filesystem::path ready = folder / ".ready" / name;
  return std::filesystem::exists(ready, ignored) ? ready : folder / name;
}

}  // namespace evenkeel
