// evenkeel data show: the sheet holds the examples as the loader gives them, the terminal counts and measures.
#include <doctest/doctest.h>
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "apps/report/sheet.h"
#include "core/base/check.h"
#include "core/base/random.h"
#include "tests/apps/process.h"
#include "tests/apps/tiny_data.h"
#include "tests/pictures.h"
#include "tests/zip.h"

using namespace evenkeel;

namespace {

// The part of a sheet, made smaller by a whole factor again.
std::vector<uint8_t> part(const Picture& sheet, int64_t top, int64_t left, int64_t height, int64_t width,
                          int64_t factor) {
  std::vector<uint8_t> pixels;
  for (int64_t y = 0; y < height; ++y)
    for (int64_t x = 0; x < width; ++x)
      for (int64_t c = 0; c < sheet.channels; ++c)
        pixels.push_back(sheet.pixels.at(
            static_cast<size_t>(((top + y * factor) * sheet.width + left + x * factor) * sheet.channels + c)));
  return pixels;
}

}  // namespace

TEST_CASE("data show: rows of the classes' examples, pixel by pixel; counts and channels in the terminal") {
  const Scratch s;
  // Three colour pictures of 8 x 4 in each of two classes; one class is in the test folder alone.
  std::map<std::string, std::vector<std::vector<uint8_t>>> pixels;
  Random random(1);
  double sum[3] = {}, squares[3] = {};
  for (const std::string folder : {"train/ab", "train/c-1", "test/ab", "test/zz"}) {
    std::filesystem::create_directories(s / "set/" + folder);
    for (int i = 0; i < 3; ++i) {
      std::vector<uint8_t> p;
      for (int k = 0; k < 8 * 4 * 3; ++k) p.push_back(static_cast<uint8_t>(random.below(256)));
      save(s / "set/" + folder + "/" + std::to_string(i) + ".png", png({8, 4, 3, p}));
      pixels[folder].push_back(p);
      for (size_t k = 0; folder.starts_with("train") && k < p.size(); ++k)
        sum[k % 3] += p[k], squares[k % 3] += p[k] * p[k];
    }
  }
  const Outcome o = run({"data", "show", s / "set", "--each", "2", "--out", s / "sheet.png"});
  REQUIRE_MESSAGE(o.status == 0, o.err);
  CHECK(contains(
      o.out,
      "class  training    test\nab            3       3\nc-1           3       0\nzz            0       3\nall   "
      "        6       6\n"));
  CHECK(contains(o.out, "the training images are 8x4x3"));
  for (int c = 0; c < 3; ++c) {
    const double n = 6 * 32, mean = sum[c] / n;
    CHECK_MESSAGE(
        contains(o.out, fmt::format("\n{:<7}  {:>7.2f}  {:>9.2f}  ", c, mean, std::sqrt(squares[c] / n - mean * mean))),
        o.out);
  }
  CHECK(last_line(o.out) == s / "sheet.png");
  CHECK(contains(o.err, "test has no folder of class c-1"));

  const Picture sheet = decode_picture("sheet", slurp(s / "sheet.png"));
  const int64_t factor = 8, margin = 8 + 3 * 8;  // 64 / 8; three letters
  REQUIRE(sheet.channels == 3);
  CHECK(sheet.height == 4 + 3 * (8 * factor + 4));
  CHECK(sheet.width == margin + 2 * (4 * factor + 4));
  int64_t row = 0;
  for (const std::string folder : {"train/ab", "train/c-1"}) {
    std::vector<std::vector<uint8_t>> seen;
    for (int64_t k = 0; k < 2; ++k)
      seen.push_back(part(sheet, 4 + row * (8 * factor + 4), margin + k * (4 * factor + 4), 8, 4, factor));
    CHECK(seen[0] != seen[1]);
    for (const auto& p : seen) CHECK(std::count(pixels[folder].begin(), pixels[folder].end(), p) == 1);
    ++row;
  }
  const auto empty = part(sheet, 4 + 2 * (8 * factor + 4), margin, 8, 8, factor);
  CHECK(std::count(empty.begin(), empty.end(), 255) == static_cast<int64_t>(empty.size()));

  // Augmented: moved by up to two pixels, black coming in; other test images, other seeds.
  const auto picture = [&](const Arguments& more) {
    const Outcome again = run(Arguments{"data", "show", s / "set", "--out", s / "again.png"} + more);
    CHECK_MESSAGE(again.status == 0, again.err);
    return slurp(s / "again.png");
  };
  CHECK(picture({"--each", "2"}) == slurp(s / "sheet.png"));
  CHECK(picture({"--each", "2", "--split", "test"}) != slurp(s / "sheet.png"));
  const Picture moved = decode_picture("", picture({"--each", "3", "--augment", "--seed", "3"}));
  int shifted = 0;
  for (int64_t k = 0; k < 3; ++k) {
    const auto p = part(moved, 4, margin + k * (4 * factor + 4), 8, 4, factor);
    for (int dy = -2; dy <= 2; ++dy) {
      for (int dx = -2; dx <= 2; ++dx) {
        for (const auto& from : pixels["train/ab"]) {
          bool same = true;
          for (int y = 0; y < 8 && same; ++y)
            for (int x = 0; x < 4 && same; ++x)
              for (int c = 0; c < 3; ++c) {
                const bool inside = y + dy >= 0 && y + dy < 8 && x + dx >= 0 && x + dx < 4;
                same = same && p[static_cast<size_t>((y * 4 + x) * 3 + c)] ==
                                   (inside ? from[static_cast<size_t>(((y + dy) * 4 + x + dx) * 3 + c)] : 0);
              }
          shifted += same;
        }
      }
    }
  }
  CHECK(shifted == 3);
  // Pictures of one's own are mirrored where that is said, and only there.
  const auto mirrored = [&](const std::string& how, int64_t k) {
    const auto p = part(decode_picture("", picture({"--each", "3", "--augment", "--augmentation", how})), 4,
                        margin + k * (4 * factor + 4), 8, 4, factor);
    std::vector<uint8_t> turned;
    for (size_t i = 0; i < p.size(); ++i) turned.push_back(p[(i / 12 * 4 + 3 - i / 3 % 4) * 3 + i % 3]);
    const auto& from = pixels["train/ab"];
    CHECK(std::count(from.begin(), from.end(), p) + std::count(from.begin(), from.end(), turned) == 1);
    return std::count(from.begin(), from.end(), turned);
  };
  CHECK(mirrored("crop=0", 0) + mirrored("crop=0", 1) + mirrored("crop=0", 2) == 0);
  const auto some = mirrored("crop=0:flip=on", 0) + mirrored("crop=0:flip=on", 1) + mirrored("crop=0:flip=on", 2);
  CHECK(some > 0);
  CHECK(some < 3);
  CHECK(run({"data", "show", s / "set", "--augmentation", "crop=0"}).status == 2);
  CHECK(run({"data", "show", s / "set", "--out", s / "set/sheet.png"}).status == 2);
  CHECK(run({"data", "show", s / "set", "--out", s / "no/sheet.png"}).status == 5);
  CHECK(run({"data", "show", s / "nothing"}).status == 3);
}

TEST_CASE("data show: a named set and grey images; letters of a name") {
  const TinyData tiny(30, 20);
  const Scratch s;
  const Outcome o =
      run({"data", "show", "mnist", "--data-dir", tiny.folder.path, "--each", "1", "--out", s / "sheet.png"});
  REQUIRE_MESSAGE(o.status == 0, o.err);
  const Picture sheet = decode_picture("sheet", slurp(s / "sheet.png"));
  CHECK(sheet.channels == 1);
  CHECK(sheet.height == 4 + 10 * (2 * 28 + 4));

  // "1" in points of two pixels: .#. ##. .#. .#. ###
  const Picture one =
      contact_sheet({{"1", {{.height = 20, .width = 1, .channels = 1, .pixels = std::vector<uint8_t>(20, 9)}}}});
  std::string drawn;
  const int64_t top = 4 + (60 - 10) / 2;
  for (int64_t y = 0; y < 5; ++y)
    for (int64_t x = 0; x < 3; ++x)
      drawn += one.pixels.at(static_cast<size_t>((top + 2 * y) * one.width + 4 + 2 * x)) == 40 ? '#' : '.';
  CHECK(drawn == ".#.##..#..#.###");
  CHECK_THROWS_AS(contact_sheet({{"none", {}}}), Error);
  // A large picture is made smaller, its proportions stay.
  const Picture large =
      contact_sheet({{"", {{.height = 300, .width = 600, .channels = 1, .pixels = std::vector<uint8_t>(180000, 77)}}}});
  CHECK(large.height == 4 + 64 + 4);
  CHECK(large.width == 8 + 128 + 4);
}

TEST_CASE("own arrays: an archive trains, and the checkpoint alone evaluates it, channels first or last") {
  const Scratch s;
  Random random(2);
  std::string last, first(2 * 40 * 12, '\0'), labels;
  for (int i = 0; i < 80; ++i) {
    const int label = static_cast<int>(random.below(2));
    labels += static_cast<char>(label);
    std::string image;
    for (int k = 0; k < 12; ++k) image += static_cast<char>(random.below(100) + (k % 2 == label ? 120 : 0));
    for (int p = 0; p < 4; ++p)
      for (int c = 0; c < 3; ++c)
        first[static_cast<size_t>(12 * i + 4 * c + p)] = image[static_cast<size_t>(3 * p + c)];
    last += image;
  }
  const auto npy = [](const std::string& shape, const std::string& values) {
    std::string header = "{'descr': '|u1', 'fortran_order': False, 'shape': (" + shape + "), }";
    header.resize(117, ' ');
    return std::string("\x93NUMPY\1\0", 8) + little_endian(118, 2) + header + "\n" + values;
  };
  for (const bool channels_first : {false, true}) {
    Zip zip;
    zip.add("images.npy", channels_first ? npy("80, 3, 2, 2", first) : npy("80, 2, 2, 3", last), true);
    zip.add("labels.npy", npy("80", labels), true);
    const std::string name = channels_first ? "first" : "last";
    save(s / (name + ".npz"), zip.bytes());
    Arguments train{"train", "--data", s / (name + ".npz"), "--model", "mlp:8", "--epochs", "4", "--batch-size", "8",
                    "--out", s / name};
    const Outcome trained = run(train + (channels_first ? Arguments{"--channels-first"} : Arguments{}));
    REQUIRE_MESSAGE(trained.status == 0, trained.err);
    CHECK(contains(trained.err, "20 % of each class held out to be the test set"));
    const Outcome same = run({"eval", s / name + "/last.safetensors"});
    CHECK_MESSAGE(same.status == 0, same.err);
    const std::string accuracy = last_line(same.out).substr(5);  // after "test "
    CHECK_MESSAGE(contains(last_line(trained.out), accuracy.substr(0, accuracy.find('\n'))), (trained.out + same.out));
    CHECK(run({"train", "--resume", s / name, "--epochs", "5"}).status == 0);
  }
  CHECK(slurp(s / "first/log.csv").size() > 0);
  // The same images in either order train to the same weights.
  const auto weights = [&](const std::string& name) {
    REQUIRE(run({"export", s / name, "--format", "npz", "--out", s / (name + "-weights.npz")}).status == 0);
    return slurp(s / (name + "-weights.npz"));
  };
  const bool equal = weights("first") == weights("last");
  CHECK(equal);
}
