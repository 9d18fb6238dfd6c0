#include "data/formats/cifar.h"

#include <doctest/doctest.h>

#include "tests/data_files.h"

using namespace evenkeel;

namespace {

Dataset six_pixels() { return {.name = "small", .image = {1, 2, 3}, .classes = 10}; }

}  // namespace

TEST_CASE("CIFAR records become channels last, the last label byte counts") {
  Dataset data = six_pixels();
  parse_cifar(data, "one", std::string("\3rRgGbB\7sStTuU", 14), 2, 1);
  CHECK(data.labels == Labels{3, 7});
  CHECK(std::string(data.pixels.begin(), data.pixels.end()) == "rgbRGBstuSTU");
  parse_cifar(data, "two", std::string("\2\4xXyYzZ", 8), 1, 2);
  CHECK(data.labels == Labels{3, 7, 4});
  CHECK(std::string(data.pixels.begin(), data.pixels.end()) == "rgbRGBstuSTUxyzXYZ");
}

TEST_CASE("CIFAR files of any other size are refused, and labels out of range") {
  const std::string good("\3rRgGbB\7sStTuU", 14);
  const auto why = [](const std::string& bytes) {
    return refusal([&] {
      Dataset data = six_pixels();
      parse_cifar(data, "file", bytes, 2, 1);
    });
  };
  for (size_t n = 0; n < good.size(); ++n) CHECK(!why(good.substr(0, n)).empty());
  CHECK(why(good.substr(0, 7)) == "file: must have 14 bytes (2 records of 7), it has 7");
  CHECK(why(good + good) == "file: must have 14 bytes (2 records of 7), it has 28");
  CHECK(why("<html>403 Forbidden") ==
        "file: it is an HTML page, not a CIFAR file; get the set again with evenkeel data fetch");
  CHECK(why("\x80\2}q\1(U\x0b"
            "batch_label") == "file: it is a pickle, not a CIFAR file; get the set again with evenkeel data fetch");
  std::string bad = good;
  bad[7] = 10;
  CHECK(why(bad) == "file: labels must be below 10, label 1 is 10");
  bad[7] = '\xff';
  CHECK(why(bad) == "file: labels must be below 10, label 1 is 255");
}
