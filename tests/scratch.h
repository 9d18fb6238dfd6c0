// A temporary folder for a test's files, removed at the end of the test.
#pragma once
#include <cstdlib>
#include <filesystem>
#include <string>

struct Scratch {
  Scratch() {
    std::string name = (std::filesystem::temp_directory_path() / "evenkeel-test-XXXXXX").string();
    path = mkdtemp(name.data());
  }
  ~Scratch() { std::filesystem::remove_all(path); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  std::string operator/(const std::string& file) const { return path + "/" + file; }
  std::string path;
};
