// Checks the end of a training run: the bytes of its files, and no temporary files.
#pragma once
#include <doctest/doctest.h>

#include <filesystem>
#include <regex>
#include <string>

#include "tests/apps/process.h"

// A log.csv without the columns with times, images_per_second and seconds.
inline std::string without_times(const std::string& log) {
  return std::regex_replace(log, std::regex(",[^,\n]*,[^,\n]*(,[^,\n]*,[^,\n]*\n)"), "$1");
}

inline bool no_parts(const std::string& folder) {
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() == ".part") return false;
  }
  return true;
}

inline void check_same_end(const std::string& out, const std::string& whole) {
  for (const char* file : {"/last.safetensors", "/best.safetensors", "/config.json"}) {
    const bool same = slurp(out + file) == slurp(whole + file);  // doctest would print the bytes
    CHECK_MESSAGE(same, out, file);
  }
  CHECK(without_times(slurp(out + "/log.csv")) == without_times(slurp(whole + "/log.csv")));
  CHECK(no_parts(out));
}
