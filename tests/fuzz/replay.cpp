// Runs a fuzz target on the files of a folder: what the ordinary tests do with its corpus, with any compiler.
// Each is also given cut short at every length and with every one of its first bytes changed.
#include <cstdint>
#include <cstdio>
#include <filesystem>

#include "core/io/file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

int main(int argc, char** argv) {
  int files = 0;
  const auto give = [](const std::string& bytes) {
    LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  };
  for (const auto& entry : std::filesystem::directory_iterator(argc > 1 ? argv[1] : ".")) {
    const std::string bytes = evenkeel::read_file(entry.path());
    give(bytes);
    for (size_t n = 0; n < bytes.size() && n < 400; ++n) {
      give(bytes.substr(0, n));
      std::string changed = bytes;
      changed[n] = static_cast<char>(changed[n] ^ (1 << n % 8));
      give(changed);
    }
    ++files;
  }
  std::printf("%d files\n", files);
  return files > 0 ? 0 : 1;
}
