// Fetches data sets: from mirrors, by curl or wget, checked before anything is put in its place.
#pragma once
#include <functional>

#include "source.h"

namespace evenkeel {

struct FetchReport {
  std::function<void(const std::string&)> log = [](const std::string&) {};  // a line now and then
  std::function<void(int64_t done, int64_t total)> progress = [](int64_t, int64_t) {
  };  // bytes of the current file, several a second
};

// Puts the files of the set into its folder below the first of data_roots(data_dir), and returns that folder; nothing
// to do if they are all there. Files are fetched into a folder .part inside it. Each must have the published size and
// SHA-256, and the whole set must be readable; then the files are renamed into place. On failure, or where `report`
// throws, nothing is left behind. One process at a time fetches into a root; others wait, and then find what it
// fetched. mirror: a URL (http, https or file) below which NAME/FILE is looked for, instead of the public mirrors;
// empty: $EVENKEEL_MIRROR. Throws Error: missing (neither curl nor wget), io (no mirror has it, cannot write), bad_file
// (what came is not right).
std::filesystem::path fetch_dataset(const Source& source, const std::string& data_dir, const std::string& mirror = "",
                                    const FetchReport& report = {});
std::filesystem::path fetch_dataset(const std::string& name, const std::string& data_dir,
                                    const std::string& mirror = "", const FetchReport& report = {});

// One file, from the first of the URLs that gives it right, to `target`.
void fetch_file(const Download& download, const std::vector<std::string>& urls, const std::filesystem::path& target,
                const FetchReport& report);

}  // namespace evenkeel
