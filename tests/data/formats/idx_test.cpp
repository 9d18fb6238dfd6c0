#include "data/formats/idx.h"

#include <doctest/doctest.h>

#include "tests/data_files.h"
#include "tests/scratch.h"

using namespace evenkeel;

namespace {

std::string why(const std::string& bytes, int rank) {
  return refusal([&] { parse_idx("file", bytes, rank); });
}

Dataset small() { return {.name = "small", .image = {2, 3, 1}, .classes = 10}; }

}  // namespace

TEST_CASE("IDX arrays are read, plain and gzip") {
  const std::string bytes = idx({2, 2, 3}, {0, 1, 2, 3, 4, 5, 250, 251, 252, 253, 254, 255});
  for (const std::string& stored : {bytes, deflated(bytes)}) {
    const IdxArray array = parse_idx("file", stored, 3);
    CHECK(array.shape == Shape{2, 2, 3});
    CHECK(array.values == std::vector<uint8_t>{0, 1, 2, 3, 4, 5, 250, 251, 252, 253, 254, 255});
  }
}

TEST_CASE("an IDX header that lies is refused, with what is wrong") {
  const std::string good = idx({4, 2, 3}, {7});
  CHECK(why(good, 1) == "file: it is an IDX file of 3 axes, one of 1 is needed (labels have 1, images 3)");
  CHECK(why(idx({4}, {7}), 3) == "file: it is an IDX file of 1 axes, one of 3 is needed (labels have 1, images 3)");
  CHECK(why(big_endian(0xd03) + good.substr(4), 3) ==
        "file: it is an IDX file of floats; pixels and labels must be unsigned bytes, 0 to 255");
  CHECK(why("oops" + good.substr(4), 3) == "file: the magic number must be 0x00000803, it is 0x6f6f7073");
  CHECK(why(big_endian(0x703) + good.substr(4), 3) == "file: the magic number must be 0x00000803, it is 0x00000703");
  const std::pair<std::string, std::string> others[] = {
      {"<!DOCTYPE html><title>403 Forbidden</title>", "an HTML page"},
      {"<?xml version=\"1.0\"?><Error>", "an XML text, as a server's error is"},
      {"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer"},
      {"PK\3\4" + good.substr(4), "a zip archive"}};
  for (const auto& [bytes, what] : others)
    CHECK(why(bytes, 3) == "file: it is " + what + ", not an IDX file; get the set again with evenkeel data fetch");
  CHECK(why(idx({0, 2, 3}, {7}), 3) == "file: its header says that axis 0 is empty");
  CHECK(why(idx({4, 0, 3}, {7}), 3) == "file: its header says that axis 1 is empty");
  CHECK(why(big_endian(0x803) + big_endian(0xffffffff) + big_endian(0xffffffff) + big_endian(0xffffffff), 3) ==
        "file: its header promises more than 2^58 bytes");
  CHECK(why(big_endian(0x803) + big_endian(0xffffffff) + big_endian(28) + big_endian(28) + "data", 3) ==
        "file: its header promises 3367254359280 bytes of data, the file has 4");
  CHECK(why(good + "x", 3) == "file: its header promises 24 bytes of data, the file has 25");
  CHECK(why("", 3) == "file: ends after 0 bytes, 4 more should follow");
}

TEST_CASE("every truncation of an IDX file is refused") {
  const std::string good = idx({4, 2, 3}, {1, 2, 3, 4, 5, 6, 7}), zipped = deflated(good);
  for (size_t n = 0; n < good.size(); ++n) CHECK(!why(good.substr(0, n), 3).empty());
  for (size_t n = 0; n < zipped.size(); ++n) CHECK(!why(zipped.substr(0, n), 3).empty());
}

TEST_CASE("a gzip whose header lies about its contents, either way") {
  const std::string good = idx({4, 2, 3}, {7});
  std::string more = good, less = good;
  more[7] = 5;  // five images in the header, four in the file
  less[7] = 3;
  CHECK(why(deflated(more), 3) ==
        fmt::format("file: its header promises 46 bytes, the gzip data of {} bytes says it holds 40",
                    deflated(more).size()));
  CHECK(why(deflated(less), 3) ==
        fmt::format("file: its header promises 34 bytes, the gzip data of {} bytes says it holds 40",
                    deflated(less).size()));
}

TEST_CASE("a pair of IDX files must fit each other and the data set") {
  Scratch folder;
  save(folder / "images", idx({3, 2, 3}, {0, 1, 2, 3, 4, 5, 10, 11, 12, 13, 14, 15, 20, 21, 22, 23, 24, 25}));
  save(folder / "labels", idx({3}, {9, 0, 5}));
  Dataset data = small();
  read_idx_pair(data, folder / "images", folder / "labels");
  CHECK(data.size() == 3);
  CHECK(data.labels == Labels{9, 0, 5});
  CHECK(data.pixels[0] == 0);
  CHECK(data.pixels[17] == 25);

  const auto pair = [&](const std::string& images, const std::string& labels) {
    return refusal([&] {
      Dataset into = small();
      read_idx_pair(into, folder / images, folder / labels);
    });
  };
  save(folder / "turned", idx({3, 3, 2}, {0}));
  save(folder / "two", idx({2}, {1}));
  save(folder / "ten", idx({3}, {9, 10, 0}));
  CHECK(pair("turned", "labels") ==
        folder / "turned: the images must be (2, 3, 1) (height, width, channels), they are (3, 2, 1)");
  CHECK(pair("images", "two") == folder / "two: 2 labels for the 3 images of " + (folder / "images"));
  CHECK(pair("images", "ten") == folder / "ten: labels must be below 10, label 1 is 10");
  CHECK(pair("labels", "images").find("an IDX file of 1 axes") != std::string::npos);
  CHECK(!error_of(Fault::missing, [&] { read_idx(folder / "nowhere", 1); }).empty());
}

TEST_CASE("images stored column by column are turned") {
  Scratch folder;
  save(folder / "images", idx({2, 2, 3}, {0, 10, 1, 11, 2, 12, 20, 30, 21, 31, 22, 32}));
  save(folder / "labels", idx({2}, {1, 2}));
  Dataset data = small();
  read_idx_pair(data, folder / "images", folder / "labels", true);
  CHECK(data.pixels == std::vector<uint8_t>{0, 1, 2, 10, 11, 12, 20, 21, 22, 30, 31, 32});
}
