// NumPy's arrays as data sets: every layout, type and scale, and what is refused.
#include "data/formats/npy.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>

#include "data/catalogue/load.h"
#include "tests/scratch.h"
#include "tests/zip.h"

using namespace evenkeel;

namespace {

template <class T>
std::string bytes_of(const std::vector<T>& values, bool big = false) {
  std::string bytes;
  for (const T v : values) {
    char raw[sizeof v];
    std::memcpy(raw, &v, sizeof v);
    if (big) std::reverse(raw, raw + sizeof v);
    bytes.append(raw, sizeof v);
  }
  return bytes;
}

// 0, 7, 14 ...
std::vector<uint8_t> counted(size_t count, size_t begin = 0) {
  std::vector<uint8_t> v;
  for (size_t i = 0; i < count; ++i) v.push_back(static_cast<uint8_t>(7 * (begin + i)));
  return v;
}

struct Notes {
  std::string text;
  LoadReport report() {
    LoadReport r;
    r.note = [this](const std::string& line) { text += line + "\n"; };
    return r;
  }
};

}  // namespace

TEST_CASE("npy: a folder and an archive of the same arrays are the same set, in the files' order") {
  const Scratch s;
  const std::string x = npy("|u1", "4, 2, 3, 1", bytes_of(counted(24))),
                    y = npy("<i8", "4,", bytes_of<int64_t>({2, 0, 1, 2})),
                    xt = npy("|u1", "2, 2, 3", bytes_of(counted(12, 24)), 2),
                    yt = npy(">i4", "2, 1", bytes_of<int32_t>({1, 2}, true), 3);
  std::filesystem::create_directory(s / "set");
  save(s / "set/x_train.npy", x), save(s / "set/y_train.npy", y);
  save(s / "set/Test-Images.npy", xt), save(s / "set/test.labels.npy", yt);
  save(s / "set/notes.txt", "text"), save(s / "set/weights.npy", "no array, and not looked at");
  for (const bool deflate : {false, true}) {
    Zip zip;
    zip.add("x_train.npy", x, deflate), zip.add("y_train.npy", y, deflate), zip.add("other.npy", "", false);
    zip.add("x_test.npy", xt, deflate), zip.add("y_test.npy", yt, deflate);
    save(s / (deflate ? "packed.npz" : "stored.npz"), zip.bytes());
  }
  for (const char* name : {"set", "stored.npz", "packed.npz"}) {
    CAPTURE(name);
    CHECK(is_path(s / name));
    const DataSplit split = load_dataset(s / name);
    CHECK(split.train.image == Shape{2, 3, 1});
    CHECK(split.train.pixels == counted(24));
    CHECK(split.train.labels == Labels{2, 0, 1, 2});
    CHECK(split.test.pixels == counted(12, 24));
    CHECK(split.test.labels == Labels{1, 2});
    CHECK(split.train.classes == 3);
    CHECK(split.train.class_names == std::vector<std::string>{"0", "1", "2"});
    CHECK(split.held_out == 0);
    CHECK(split.folder == s / name);
    CHECK(split.inputs.size() == (split.inputs[0] == s / name ? 1 : 4));  // the files themselves
  }
}

TEST_CASE("npy: channels last or first, as an option or a network's shape says") {
  const Scratch s;
  Zip zip;
  const std::vector<uint8_t> first = counted(2 * 3 * 2 * 4);
  zip.add("images.npy", npy("|u1", "2, 3, 2, 4", bytes_of(first)), true);
  zip.add("labels.npy", npy("|u1", "2", bytes_of<uint8_t>({0, 1})), true);
  save(s / "set.npz", zip.bytes());
  std::vector<uint8_t> last;
  for (size_t n = 0; n < 2; ++n)
    for (size_t p = 0; p < 8; ++p)
      for (size_t c = 0; c < 3; ++c) last.push_back(first[(n * 3 + c) * 8 + p]);
  PictureOptions said{.channels_first = true}, network{.height = 2, .width = 4, .channels = 3, .classes = {"0", "1"}},
      other_size{.height = 5, .width = 5, .channels = 3, .classes = {"0", "1"}};
  for (const PictureOptions* o : {&said, &network, &other_size}) {
    const DataSplit split = read_npy_set(s / "set.npz", *o, {});
    CHECK(split.train.image == Shape{2, 4, 3});
    CHECK(split.train.pixels == last);
  }
  const std::string refused = refusal([&] { read_npy_set(s / "set.npz", {}, {}); });
  CHECK_MESSAGE(refused.find("(2, 3, 2, 4) taken as (N, H, W, C) has 4, 3 and 2 (--channels-first takes it as") !=
                    std::string::npos,
                refused);
}

TEST_CASE("npy: the scale of floats is found and said, values are rounded to 8 bits, and none is lost") {
  const Scratch s;
  const auto pixels = [&](const std::string& type, const std::string& values, const std::string& said) {
    std::filesystem::create_directories(s / "set");
    save(s / "set/x.npy", npy(type, "2, 1, 2", values));
    save(s / "set/y.npy", npy("<u2", "2", bytes_of<uint16_t>({0, 1})));
    Notes notes;
    const DataSplit split = read_npy_set(s / "set", {}, notes.report());
    CHECK_MESSAGE(notes.text.find(said) != std::string::npos, notes.text);
    return split.train.pixels;
  };
  using Bytes = std::vector<uint8_t>;
  CHECK(pixels("<f4", bytes_of<float>({0, 1, 0.5f, 0.25f}), "floats from 0 to 1, taken times 255, and rounded") ==
        Bytes{0, 255, 128, 64});
  CHECK(pixels(">f8", bytes_of<double>({0, 1, 0.5, 1e-9}, true), "from 0 to 1") == Bytes{0, 255, 128, 0});
  CHECK(pixels("<f8", bytes_of<double>({-1, 1, 0, 0.5}), "from -1 to 1, mapped onto 0 to 255") ==
        Bytes{0, 255, 128, 191});
  CHECK(pixels("<f4", bytes_of<float>({0, 255, 16, 2.5f}), "from 0 to 255, taken as they are") == Bytes{0, 255, 16, 3});
  // Every value of 8 bits comes back.
  std::vector<float> all(256);
  for (size_t i = 0; i < 256; ++i) all[i] = static_cast<float>(i) / 255;
  save(s / "set/x.npy", npy("<f4", "256, 1, 1", bytes_of(all)));
  save(s / "set/y.npy", npy("|i1", "256", std::string(255, '\0') + '\1'));
  const DataSplit split = read_npy_set(s / "set", {}, {});
  for (size_t i = 0; i < 256; ++i) CHECK(split.train.pixels[i] == i);
}

TEST_CASE("npy: a set without a test part holds out a part of every class, by the seed and the class alone") {
  const Scratch s;
  std::vector<uint8_t> label;
  for (int i = 0; i < 50; ++i) label.push_back(static_cast<uint8_t>(i % 5 == 0 ? 2 : 1));
  Zip zip;
  zip.add("images.npy", npy("|u1", "50, 1, 1", bytes_of(counted(50))), false);
  zip.add("labels.npy", npy("|u1", "50", bytes_of(label)), false);
  save(s / "set.npz", zip.bytes());
  Notes notes;
  const DataSplit split = load_dataset(s / "set.npz", "", {.holdout = 0.3, .seed = 4}, notes.report());
  CHECK(split.held_out == 0.3);
  CHECK(notes.text.find("30 % of each class held out") != std::string::npos);
  CHECK(split.train.size() == 35);
  CHECK(std::count(split.test.labels.begin(), split.test.labels.end(), 1) == 3);  // of 10 of the second class
  CHECK(split.train.class_names == std::vector<std::string>{"1", "2"});           // no label is 0
  std::vector<bool> both(256);
  for (const Dataset* d : {&split.train, &split.test})
    for (const uint8_t p : d->pixels) both[p] = true;
  CHECK(std::count(both.begin(), both.end(), true) == 50);
  CHECK(load_dataset(s / "set.npz", "", {.holdout = 0.3, .seed = 4}).test.pixels == split.test.pixels);
  CHECK(load_dataset(s / "set.npz", "", {.holdout = 0.3, .seed = 5}).test.pixels != split.test.pixels);
}

TEST_CASE("npy: what is no pair of images and labels is refused by its name") {
  const Scratch s;
  std::filesystem::create_directory(s / "set");
  const std::string good_x = npy("|u1", "2, 1, 2", "abcd"), good_y = npy("|u1", "2", std::string("\0\1", 2));
  const auto refused = [&](const std::string& x, const std::string& y, const std::string& said) {
    save(s / "set/x.npy", x), save(s / "set/y.npy", y);
    const std::string message = refusal([&] { read_npy_set(s / "set", {}, {}); });
    CHECK_MESSAGE(message.find(said) != std::string::npos, (said + " | " + message));
  };
  const auto with = [&](float bad) {
    std::vector<float> v(12, 0.5f);
    v[9] = bad;
    return npy("<f4", "2, 1, 2, 3", bytes_of(v));
  };
  refused(with(NAN), good_y, "set/x.npy: its value at (1, 0, 1, 0) is nan; all must be finite");
  refused(with(-INFINITY), good_y, "its value at (1, 0, 1, 0) is -inf");
  refused(with(300), good_y, "floats from 0 to 300; they must be");
  refused(with(-2), good_y, "floats from -2 to 0.5");
  refused(npy("<i8", "2, 1, 2", std::string(32, '\0')), good_y,
          "x.npy: images must be uint8, float32 or float64, they are int64");
  refused(npy("<c8", "2, 1, 2", std::string(32, '\0')), good_y, "x.npy: its type '<c8' is not read");
  refused(npy("|O", "2, 1, 2", ""), good_y, "its type '|O' is not read");
  refused(npy("<f2", "2, 1, 2", std::string(8, '\0')), good_y, "its type '<f2' is not read");
  refused(npy("|u1", "2, 1, 2", "abcd", 1, "True"), good_y, "is in Fortran order");
  refused(npy("|u1", "2, 2", "abcd"), good_y, "images must be (N, H, W), (N, H, W, C) or (N, C, H, W), it is (2, 2)");
  refused(npy("|u1", "1, 1, 2, 2", "abcd"), good_y, "1 or 3 channels");
  refused(npy("|u1", "0, 1, 2", ""), npy("|u1", "0", ""), "set/x.npy: has no image, its shape is (0, 1, 2)");
  refused(npy("|u1", "2, 1, 2", "abc"), good_y, "x.npy: its header promises 4 bytes of data, 3 are there");
  refused(npy("|u1", "2, 1, 2", "abcde"), good_y, "promises 4 bytes of data, 5 are there");
  refused(npy("|u1", "4000000000, 4000000000, 4000000000", ""), good_y, "its shape is invalid");
  refused(npy("|u1", "2, -1, 2", ""), good_y, "its shape is invalid: \"-1\"");
  refused(npy("|u1", "2, 1, 2", "abcd", 4), good_y, "version 1, 2 or 3");
  refused("text that is long enough to be read", good_y, "x.npy: is no NumPy array");
  refused("", good_y, "x.npy: ends after 0 bytes");
  refused(good_x, npy("|u1", "3", "abc"), "y.npy: 3 labels for the 2 images of");
  refused(good_x, npy("<f4", "2", std::string(8, '\0')), "y.npy: labels must be integers");
  refused(good_x, npy("|u1", "2, 2", "abcd"), "labels must be integers of the shape (N) or (N, 1)");
  refused(good_x, npy("|i1", "2", std::string("\0\xff", 2)), "y.npy: label 1 is -1; labels must be from 0 to 65535");
  save(s / "set/x.npy", good_x), save(s / "set/y.npy", good_y);
  save(s / "set/images.npy", good_x);
  CHECK(refusal([&] { read_npy_set(s / "set", {}, {}); }).find("are both images of the same part") !=
        std::string::npos);
  std::filesystem::remove(s / "set/images.npy");
  save(s / "set/x_test.npy", good_x);
  CHECK(refusal([&] { read_npy_set(s / "set", {}, {}); }).find("has test images but none of the labels") !=
        std::string::npos);
  save(s / "set/y_test.npy", good_y), save(s / "set/x_test.npy", npy("|u1", "2, 2, 1", "abcd"));
  CHECK(refusal([&] {
          read_npy_set(s / "set", {}, {});
        }).find("training images are (1, 2, 1), test images (2, 1, 1)") != std::string::npos);
  // An archive: cut short, no archive, nothing in it, a member that claims more than it can hold.
  Zip zip;
  zip.add("x.npy", good_x, true), zip.add("y.npy", good_y, true);
  const std::string bytes = zip.bytes();
  for (size_t n = 0; n < bytes.size(); n += 3) {
    save(s / "cut.npz", bytes.substr(0, n));
    CHECK(refusal([&] { read_npy_set(s / "cut.npz", {}, {}); }) != "");
  }
  for (size_t i = 0; i < bytes.size(); ++i) {  // no changed byte leads out of the file
    std::string changed = bytes;
    changed[i] = static_cast<char>(changed[i] ^ 0x55);
    save(s / "changed.npz", changed);
    try {
      read_npy_set(s / "changed.npz", {}, {});
    } catch (const Error&) {
    }
  }
  Zip none;
  none.add("readme", "text", true);
  save(s / "none.npz", none.bytes());
  CHECK(refusal([&] { read_npy_set(s / "none.npz", {}, {}); }).find("has no pair of images and labels") !=
        std::string::npos);
}
