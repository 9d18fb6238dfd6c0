#include "data/catalogue/own.h"

#include <doctest/doctest.h>

#include <filesystem>

#include "tests/data_files.h"
#include "tests/pictures.h"
#include "tests/scratch.h"

using namespace evenkeel;
namespace fs = std::filesystem;

namespace {

// Three training and two test images of 2 rows and 3 columns.
void save_idx(const std::string& folder, const std::vector<std::string>& names, uint8_t first_label) {
  fs::create_directories(folder);
  const auto label = [&](int i) { return static_cast<uint8_t>(first_label + i); };
  save(folder + "/" + names[0], idx({3, 2, 3}, {1, 2, 3, 4, 5, 6}));
  save(folder + "/" + names[1], idx({3}, {label(0), label(2), label(1)}));
  save(folder + "/" + names[2], idx({2, 2, 3}, {1, 2, 3, 4, 5, 6}));
  save(folder + "/" + names[3], idx({2}, {label(2), label(0)}));
}

std::vector<std::string> dashed(const std::string& prefix, const std::string& test) {
  return {prefix + "train-images-idx3-ubyte", prefix + "train-labels-idx1-ubyte", prefix + test + "-images-idx3-ubyte",
          prefix + test + "-labels-idx1-ubyte"};
}

}  // namespace

TEST_CASE("own data: IDX files of any size, number of classes and naming") {
  const Scratch s;
  save_idx(s / "dashed", dashed("", "t10k"), 0);
  save_idx(s / "dotted",
           {"Train-Images.IDX3-ubyte", "train-labels.idx1-ubyte", "test-images.idx3-ubyte", "test-labels.idx1-ubyte"},
           0);
  for (const char* folder : {"dashed", "dotted"}) {
    const DataSplit split = load_own(s / folder, {}, {});
    CHECK(split.train.image == Shape{2, 3, 1});
    CHECK(split.train.classes == 3);
    CHECK(split.train.class_names == std::vector<std::string>{"0", "1", "2"});
    CHECK(split.train.labels == Labels{0, 2, 1});
    CHECK(split.test.labels == Labels{2, 0});
    CHECK(split.folder == s / folder);
  }
  save(s / "dashed/train-labels-idx1-ubyte.gz", deflated(idx({3}, {2, 2, 2})));  // the plain file wins over the .gz
  CHECK(load_own(s / "dashed", {}, {}).train.labels == Labels{0, 2, 1});
  save_idx(s / "late", dashed("", "t10k"), 2);  // only labels from 1 on begin at 1
  CHECK(load_own(s / "late", {}, {}).train.class_names == std::vector<std::string>{"0", "1", "2", "3", "4"});
  fs::remove(s / "dotted/test-labels.idx1-ubyte");
  CHECK(error_of(Fault::missing, [&] { load_own(s / "dotted", {}, {}); }).find("none of test labels") !=
        std::string::npos);
  CHECK(error_of(Fault::missing, [&] { load_own(s / "nothing", {}, {}); }).find("there is no such file or folder") !=
        std::string::npos);
  CHECK(error_of(Fault::bad_file, [&] {
          load_own(s / "dashed/train-images-idx3-ubyte", {}, {});
        }).find("must be a folder or an .npz file; data of your own is a folder") != std::string::npos);
}

TEST_CASE("own data: labels from 1, columns before rows, several sets in a folder; a network's classes") {
  const Scratch s;
  save_idx(s / "gzip", dashed("emnist-letters-", "test"), 1);
  const std::string letters = s / "gzip/emnist-letters";
  for (const std::string& path : {s / "gzip", letters}) {
    const DataSplit split = load_own(path, {}, {});
    CHECK(split.train.labels == Labels{0, 2, 1});
    CHECK(split.train.class_names == std::vector<std::string>{"1", "2", "3"});
    CHECK(std::vector<uint8_t>(split.train.pixels.begin(), split.train.pixels.begin() + 6) ==
          std::vector<uint8_t>{1, 3, 5, 2, 4, 6});
  }
  save_idx(s / "gzip", dashed("emnist-digits-", "test"), 0);
  CHECK(error_of(Fault::usage, [&] { load_own(s / "gzip", {}, {}); }).find("emnist-digits-") != std::string::npos);
  CHECK(load_own(letters, {}, {}).train.size() == 3);
  const DataSplit more = load_own(letters, {.classes = {"1", "2", "3", "4"}}, {});
  CHECK(more.train.classes == 4);
  CHECK(more.train.labels == Labels{0, 2, 1});
  CHECK(!error_of(Fault::usage, [&] { load_own(letters, {.classes = {"1", "2"}}, {}); }).empty());
}

TEST_CASE("own data: images of files are brought to a size and channels as pictures are") {
  const Scratch s;
  save_idx(s.path, dashed("", "t10k"), 0);
  const auto pixels = [&](int64_t height, int64_t width, int64_t channels) {
    const DataSplit split = load_own(s.path, {.height = height, .width = width, .channels = channels}, {});
    CHECK(split.train.image == split.test.image);
    CHECK(split.train.labels == Labels{0, 2, 1});
    CHECK(split.train.class_names == std::vector<std::string>{"0", "1", "2"});
    CHECK(static_cast<int64_t>(split.train.pixels.size()) == 3 * split.train.image.size());
    CHECK(static_cast<int64_t>(split.test.pixels.size()) == 2 * split.train.image.size());
    return std::vector<uint8_t>(split.test.pixels.begin(), split.test.pixels.begin() + split.test.image.size());
  };
  using Bytes = std::vector<uint8_t>;
  CHECK(pixels(0, 0, 0) == Bytes{1, 2, 3, 4, 5, 6});
  CHECK(pixels(0, 0, 3) == Bytes{1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4, 5, 5, 5, 6, 6, 6});
  CHECK(pixels(1, 3, 1) == Bytes{3, 4, 5});  // the means of 1 and 4, 2 and 5, 3 and 6
  CHECK(pixels(2, 1, 1) == Bytes{2, 5});
  CHECK(pixels(4, 6, 0) == Bytes{1, 1, 2, 2, 3, 3, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 4, 4, 5, 5, 6, 6});
}

TEST_CASE("own data: images of more than 1024 rows or columns need a smaller size, in pictures, arrays and IDX files") {
  const Scratch s;
  for (const char* picture : {"pictures/a/1.png", "pictures/a/2.png", "pictures/b/1.png", "pictures/b/2.png"}) {
    fs::create_directories(fs::path(s / picture).parent_path());
    save(s / picture, png({1, 1025, 1, std::vector<uint8_t>(1025, 7)}));
  }
  fs::create_directory(s / "arrays");
  const std::string pixels(2 * 1025, '\7');
  save(s / "arrays/x.npy", npy("|u1", "2, 1, 1025", pixels));
  save(s / "arrays/y.npy", npy("|u1", "2", std::string(2, '\0')));
  fs::create_directory(s / "idx");
  const std::vector<std::string> names = dashed("", "t10k");
  for (const size_t part : {0, 2}) {
    save(s / "idx/" + names[part], idx({2, 1, 1025}, std::vector<uint8_t>(2 * 1025, 7)));
    save(s / "idx/" + names[part + 1], idx({2}, {0, 0}));
  }
  for (const char* set : {"pictures", "arrays", "idx"}) {
    CAPTURE(set);
    const std::string path = s / set;
    const std::string refused = error_of(Fault::usage, [&] { load_own(path, {.holdout = 0.5}, {}); });
    CHECK_MESSAGE(refused.find(path + ": its images are 1x1025; give a smaller size: --image-size HEIGHTxWIDTH, at "
                                      "most 1024") != std::string::npos,
                  refused);
    const DataSplit split = load_own(path, {.height = 1, .width = 5, .holdout = 0.5}, {});
    CHECK(split.train.image == Shape{1, 5, 1});
    CHECK(split.test.image == Shape{1, 5, 1});
    CHECK(split.train.pixels[0] == 7);
  }
}

TEST_CASE("own data: CIFAR's files of any number of records") {
  const Scratch s;
  std::string record(3073, '\5');
  record[0] = 1;
  save(s / "data_batch_1.bin", record + record);
  record[0] = 0;
  save(s / "data_batch_2.bin", record);
  save(s / "test_batch.bin", record);
  const DataSplit split = load_own(s.path, {}, {});
  CHECK(split.train.labels == Labels{1, 1, 0});
  CHECK(split.train.classes == 2);
  CHECK(split.train.image == Shape{32, 32, 3});
  save(s / "test_batch.bin", record + "x");
  CHECK(refusal([&] { load_own(s.path, {}, {}); }).find("must be records of 3073 bytes, it has 3074 bytes") !=
        std::string::npos);
}

TEST_CASE("own data: CIFAR-100's files, whose records have two labels; the second one is the class") {
  const Scratch s;
  std::string record(3074, '\5');
  record[0] = 7;
  const auto of = [&](char label) {
    record[1] = label;
    return record;
  };
  save(s / "train.bin", of(2) + of(0) + of(1));
  save(s / "test.bin", of(1) + of(2));
  const DataSplit split = load_own(s.path, {}, {});
  CHECK(split.train.labels == Labels{2, 0, 1});
  CHECK(split.test.labels == Labels{1, 2});
  CHECK(split.train.classes == 3);
  CHECK(split.train.image == Shape{32, 32, 3});
  CHECK(split.train.pixels.size() == 3 * 3072);
  fs::remove(s / "test.bin");
  CHECK_THROWS_AS(load_own(s.path, {}, {}), Error);
}

TEST_CASE("own data: a part of every class is held out by the seed, and another class does not change which") {
  const Scratch s;
  const auto held = [&] {
    const DataSplit split = load_own(s.path, {.holdout = 0.3, .seed = 7}, {});
    std::vector<uint8_t> first;
    for (int64_t i = 0; i < split.test.size(); ++i) first.push_back(split.test.pixels[i]);
    CHECK(split.held_out == 0.3);
    CHECK(split.train.size() + split.test.size() == 10 * split.train.classes);
    return first;
  };
  for (const int c : {1, 2, 0}) {
    fs::create_directories(s / std::to_string(c));
    for (int i = 0; i < 10; ++i)
      save(s / (std::to_string(c) + "/" + std::to_string(i)), png({1, 1, 1, {static_cast<uint8_t>(20 * c + i)}}));
    if (c == 1) continue;
    static std::vector<uint8_t> before;
    const std::vector<uint8_t> now = held();
    CHECK(now.size() == static_cast<size_t>(c == 2 ? 6 : 9));
    CHECK(now == held());
    if (c == 0) CHECK(std::vector<uint8_t>(now.begin() + 3, now.end()) == before);
    before = now;
  }
}

TEST_CASE("own data: pictures of one size keep it, and one in colour makes all of them so") {
  const Scratch s;
  for (const char* name : {"a", "b"}) fs::create_directories(s / name);
  const auto shape = [&] { return load_own(s.path, {.holdout = 0.5}, {}).train.image; };
  const auto picture = [&](const char* file, int height, int channels) {
    save(s / file, png({height, 2, channels, std::vector<uint8_t>(static_cast<size_t>(height * 2 * channels), 9)}));
  };
  for (const char* file : {"a/1", "a/2", "b/1", "b/2"}) picture(file, 3, 1);
  CHECK(shape() == Shape{3, 2, 1});
  picture("a/2", 3, 3);
  CHECK(shape() == Shape{3, 2, 3});
  picture("a/2", 4, 1);
  CHECK(shape() == Shape{32, 32, 1});
}

TEST_CASE("own data: which folders of pictures are classes, which are parts") {
  const Scratch s;
  const auto picture = [&](const std::string& folder) {
    fs::create_directories(s / folder);
    for (const char* file : {"1", "2"}) save(s / folder + "/" + file, png({1, 1, 1, {9}}));
  };
  const auto classes = [&] { return load_own(s.path, {.holdout = 0.5}, {}).train.class_names; };
  picture("boat");
  picture("train");  // its neighbour says that it is no part
  CHECK(classes() == std::vector<std::string>{"boat", "train"});
  fs::remove_all(s / "boat");
  fs::remove_all(s / "train");
  for (const char* folder : {"train/a", "train/b", "val/a"}) picture(folder);
  CHECK(load_own(s.path, {}, {}).test.size() == 2);
  for (const char* folder : {"test/a", "test/b"}) picture(folder);
  std::string said;
  LoadReport report;
  report.note = [&](const std::string& line) { said += line; };
  CHECK(load_own(s.path, {}, report).test.size() == 4);
  CHECK(said.find("val is not read, since test is there") != std::string::npos);

  // Other words and other cases of them are parts where both parts are there, or where no other folder is.
  const auto read = [&](const std::vector<std::string>& folders, const std::vector<std::string>& known = {}) {
    for (const auto& entry : fs::directory_iterator(s.path)) fs::remove_all(entry);
    for (const std::string& folder : folders) picture(folder);
    said.clear();
    return load_own(s.path, {.holdout = 0.5, .classes = known}, report);
  };
  for (const auto& [train, test] : {std::pair{"train", "valid"},
                                    {"train", "validation"},
                                    {"train", "testing"},
                                    {"Train", "Test"},
                                    {"TRAIN", "Val"},
                                    {"training", "testing"},
                                    {"Training", "validation"}}) {
    const std::string a = train, b = test;
    CAPTURE(b);
    const DataSplit split = read({a + "/x", a + "/y", a + "/z", b + "/x", b + "/y"});
    CHECK(split.train.class_names == std::vector<std::string>{"x", "y", "z"});
    CHECK(split.train.size() == 6);
    CHECK(split.test.size() == 4);
    CHECK(split.held_out == 0);
    CHECK_MESSAGE(said.find(b + " has no folder of class z") != std::string::npos, said);
  }
  CHECK(read({"Valid/x"}, {"x", "y"}).test.size() == 2);
  const std::vector<std::string> quality{"invalid", "valid"};
  CHECK(read(quality).train.class_names == quality);
  CHECK(said.find("is taken for a class") == std::string::npos);
  CHECK(read({"valid"}, quality).train.class_names == quality);
  CHECK(read({"train/x", "train/y", "dev/x", "dev/y"}).train.class_names == std::vector<std::string>{"dev", "train"});
  CHECK_MESSAGE(said.find("train is taken for a class, with all that is below it") != std::string::npos, said);
  read({"train/x", "train/y", "valid/x", "dev/x"});
  CHECK_MESSAGE(said.find("dev is not read, since valid is there") != std::string::npos, said);
  CHECK_THROWS_AS(read({"Train", "Test"}), Error);
}
