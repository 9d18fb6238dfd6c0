#include "data/pixels.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <tuple>

#include "data/dataset.h"
#include "tests/data_files.h"
#include "tests/scratch.h"

using namespace evenkeel;
namespace fs = std::filesystem;

namespace {

// The file that is mapped at an address, as the system names it; empty: none.
std::string mapped_file(const void* address) {
  const auto wanted = reinterpret_cast<uintptr_t>(address);
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    std::istringstream words(line);
    uintptr_t begin = 0, end = 0;
    char dash = 0;
    words >> std::hex >> begin >> dash >> end;
    const size_t path = line.find('/');
    if (begin <= wanted && wanted < end) return path == std::string::npos ? "" : line.substr(path);
  }
  return "";
}

Dataset noise(int64_t n) {
  Dataset d{.name = "noise", .image = {8, 8, 4}, .classes = 2};
  Random random(1);
  d.pixels.resize(static_cast<size_t>(n * d.image.size()));
  for (uint8_t& p : d.pixels) p = static_cast<uint8_t>(random.below(256));
  for (int64_t i = 0; i < n; ++i) d.labels.push_back(static_cast<int32_t>(random.below(2)));
  return d;
}

}  // namespace

TEST_CASE("pixels: what would take more than half of the free memory lies in a file without a name, and is the same") {
  const Scratch scratch;
  const Variable cache("XDG_CACHE_HOME", scratch.path);
  const auto results = [] {
    Dataset all = noise(6144);  // 1.5 MiB
    Random random(2);
    auto [train, held] = hold_out(all, 5000, random);
    const uint32_t parts = checksum(train, checksum(held));
    train = joined(std::move(train), held);
    const bool file = in_file(all.pixels.data());
    CHECK(in_file(held.pixels.data()) == file);
    CHECK(in_file(train.pixels.data()) == file);
    CHECK((mapped_file(all.pixels.data()).find(" (deleted)") != std::string::npos) == file);
    Dataset copy = all, moved = std::move(all);
    CHECK(copy.pixels == moved.pixels);
    return std::tuple(parts, checksum(train), checksum(copy), file);
  };
  const auto in_memory = results();
  assume_free_memory(size_t{2} << 20);
  const auto paged = results();
  CHECK(!std::get<3>(in_memory));
  CHECK(std::get<3>(paged));
  CHECK(std::get<0>(in_memory) == std::get<0>(paged));
  CHECK(std::get<1>(in_memory) == std::get<1>(paged));
  CHECK(std::get<2>(in_memory) == std::get<2>(paged));
  CHECK(!in_file(noise(100).pixels.data()));
  assume_free_memory(size_t{4} << 20);
  CHECK(!in_file(noise(6144).pixels.data()));  // less than half
  CHECK(fs::is_empty(scratch / "evenkeel"));

  std::ofstream(scratch / "file") << "x";
  const Variable nowhere("XDG_CACHE_HOME", scratch / "file");
  assume_free_memory(size_t{2} << 20);
  const std::string refused = error_of(Fault::failed, [] { noise(6144); });
  CHECK_MESSAGE(refused.find("the images need 1.6 MB, more than half of the 2.1 MB of free memory, and the file "
                             "for them failed: cannot make a file in " +
                             (scratch / "file/evenkeel")) == 0,
                refused);
  assume_free_memory(0);
}
