// Downloads data sets from mirrors, by curl or wget, and checks them before they are put in place.
#pragma once
#include <functional>

#include "source.h"

namespace evenkeel {

struct FetchReport {
  std::function<void(const std::string&)> log = [](const std::string&) {};  // gets a line now and then
  std::function<void(int64_t done, int64_t total)> progress = [](int64_t, int64_t) {
  };  // bytes of the current file, several a second
};

// Downloads the set's files into its folder below the first of data_roots(data_dir), unless all are there, and returns
// that folder. Files arrive in a subfolder .part. Each must have the published size and SHA-256, and the whole set must
// be readable; then they are renamed into place. On failure, or if `report` throws, nothing is left behind. One process
// at a time downloads into a root; others wait, and then find the files. mirror: a URL (http, https or file) that has
// NAME/FILE, instead of the public mirrors; empty: $EVENKEEL_MIRROR. Throws Error: missing (neither curl nor wget), io
// (no mirror has a file, or it cannot be written), bad_file (wrong contents).
std::filesystem::path fetch_dataset(const Source& source, const std::string& data_dir, const std::string& mirror = "",
                                    const FetchReport& report = {});
std::filesystem::path fetch_dataset(const std::string& name, const std::string& data_dir,
                                    const std::string& mirror = "", const FetchReport& report = {});

}  // namespace evenkeel
