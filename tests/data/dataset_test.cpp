#include "data/dataset.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <set>

#include "data/catalogue/load.h"
#include "data/catalogue/source.h"
#include "tests/data_files.h"
#include "tests/scratch.h"

using namespace evenkeel;
namespace fs = std::filesystem;

namespace {

// Four small files of the layout of a source; every pixel of its images is `value`.
void save_set(const std::string& name, const std::string& root, uint8_t value, bool zipped) {
  const Source& source = find_source(name);
  fs::create_directories(fs::path(root) / source.folder);
  for (const auto* files : {&source.train, &source.test}) {
    const uint32_t n = files == &source.train ? 6 : 3;
    for (const bool images : {true, false}) {
      const std::string bytes = images ? idx({n, 28, 28}, {value}) : idx({n}, {1, 2, 3});
      const std::string path = (fs::path(root) / source.folder / files->at(images ? 0 : 1)).string();
      zipped ? save(path + ".gz", deflated(bytes)) : save(path, bytes);
    }
  }
}

// The places where data sets are looked for, all of them empty.
struct Places {
  Scratch scratch;
  std::string option = scratch / "option", chosen = scratch / "chosen", cache = scratch / "cache",
              home = scratch / "home";
  Variable data{"EVENKEEL_DATA", chosen}, xdg{"XDG_CACHE_HOME", cache}, user{"HOME", home};
};

}  // namespace

TEST_CASE("data sets are found by name, the most wanted place first") {
  Places places;
  save_set("mnist", places.cache + "/evenkeel", 3, true);
  CHECK(load_dataset("mnist").train.pixels[0] == 3);
  save_set("mnist", places.chosen, 2, false);
  CHECK(load_dataset("mnist").train.pixels[0] == 2);
  save_set("mnist", places.option, 1, true);
  const DataSplit mnist = load_dataset("mnist", places.option);
  CHECK(mnist.train.pixels[0] == 1);
  CHECK(mnist.train.name == "mnist");
  CHECK(mnist.train.size() == 6);
  CHECK(mnist.test.size() == 3);
  CHECK(mnist.test.labels == Labels{1, 2, 3});
  CHECK(mnist.test.class_names.at(3) == "3");
  CHECK(mnist.folder == places.option + "/mnist");
  // A folder that is given is the only one looked in.
  CHECK(error_of(Fault::missing, [&] { load_dataset("mnist", places.scratch / "elsewhere"); }).find(places.chosen) ==
        std::string::npos);
  CHECK(!error_of(Fault::missing, [&] { load_dataset("mnist", places.scratch / "elsewhere"); }).empty());

  Variable relative("XDG_CACHE_HOME", "not/absolute"), none("EVENKEEL_DATA", "");
  save_set("mnist", places.home + "/.cache/evenkeel", 4, false);
  CHECK(load_dataset("mnist").train.pixels[0] == 4);
}

TEST_CASE("every set of the MNIST family has its own folder; EMNIST's images are turned") {
  Places places;
  for (const char* name : {"mnist", "fashion-mnist", "kmnist", "emnist"}) {
    CHECK(!error_of(Fault::missing, [&] {
             const Source& source = find_source(name);
             read_source(source, fs::path(places.option) / source.folder);
           }).empty());
    save_set(name, places.option, 9, true);
    const DataSplit split = load_dataset(name, places.option);
    CHECK(split.train.size() == 6);
    CHECK(static_cast<int64_t>(split.train.class_names.size()) == split.train.classes);
  }
  const Source& emnist = find_source("emnist");
  std::vector<uint8_t> image(784);
  image[1] = 77;                                                                 // second in the first column
  save((places.option + "/emnist/") + emnist.test[0], idx({3, 28, 28}, image));  // a file as it is goes before its .gz
  CHECK(load_dataset("emnist", places.option).test.pixels[28] == 77);
}

TEST_CASE("CIFAR's batches become one set") {
  Scratch folder;
  Source tiny = find_source("cifar10");
  tiny.train_size = 10;
  tiny.test_size = 2;
  std::string record(3073, '\5');
  for (const std::string& file : tiny.train) {
    record[0] = static_cast<char>(record[0] + 1) % 10;
    save(folder / file, record + record);
  }
  save(folder / "test_batch.bin", record + record);
  const DataSplit split = read_source(tiny, folder.path);
  CHECK(split.train.labels == Labels{6, 6, 7, 7, 8, 8, 9, 9, 0, 0});
  CHECK(split.train.pixels.size() == 10 * 3072);
  CHECK(split.test.size() == 2);
  save(folder / "data_batch_3.bin", record);
  CHECK(refusal([&] { read_source(tiny, folder.path); }) ==
        (folder / "data_batch_3.bin") + ": must have 6146 bytes (2 records of 3073), it has 3073");
}

TEST_CASE("a set that is not there: where it was looked for, what is lacking, how to get it") {
  Places places;
  save_set("kmnist", places.chosen, 1, true);
  fs::remove(places.chosen + "/kmnist/t10k-labels-idx1-ubyte.gz");
  CHECK(error_of(Fault::missing, [&] {
          load_dataset("kmnist", places.option);
        }).find(places.option + "/kmnist lacks train-images-idx3-ubyte") != std::string::npos);
  const std::string message = error_of(Fault::missing, [] { load_dataset("kmnist"); });
  for (const std::string& part :
       {places.chosen + "/kmnist lacks t10k-labels-idx1-ubyte", places.cache + "/evenkeel/kmnist lacks",
        std::string("/usr/share/datasets/kmnist lacks"), std::string("evenkeel data fetch kmnist")})
    CHECK(message.find(part) != std::string::npos);
  CHECK(error_of(Fault::usage, [] { load_dataset("mnits"); }).find("mnist, fashion-mnist, emnist") !=
        std::string::npos);
}

TEST_CASE("the list of data sets says where each is") {
  Places places;
  save_set("emnist", places.chosen, 1, true);
  const auto list = list_datasets();
  CHECK(list.size() == 9);
  for (const FoundDataset& found : list) {
    if (found.name == "emnist") CHECK(found.where == places.chosen + "/emnist");
    if (found.name == "cifar10") CHECK(found.where.empty());
    CHECK(found.drawn == found.name.starts_with("synthetic"));
    CHECK(!found.description.empty());
  }
}

TEST_CASE("the table of data sets is complete") {
  for (const Source& source : sources()) {
    CHECK(static_cast<int64_t>(source.class_names.size()) == source.classes);
    CHECK(std::set(source.class_names.begin(), source.class_names.end()).size() == source.class_names.size());
    CHECK(source.downloads.empty() == (source.layout == Layout::drawn));
    CHECK(source.mirrors.empty() == (source.layout == Layout::drawn));
    for (const Download& download : source.downloads) CHECK(download.sha256.size() == 64);
  }
}

TEST_CASE("drawn sets need no file") {
  const DataSplit grey = load_dataset("synthetic"), colour = load_dataset("synthetic-color");
  CHECK(grey.train.size() == 10000);
  CHECK(grey.test.size() == 2000);
  CHECK(grey.train.image == Shape{28, 28, 1});
  CHECK(colour.train.image == Shape{32, 32, 3});
  CHECK(!std::equal(grey.test.pixels.begin(), grey.test.pixels.end(), grey.train.pixels.begin()));
}

TEST_CASE("Debian's Fashion-MNIST") {
  if (!fs::exists("/usr/share/datasets/fashion-mnist")) {
    MESSAGE("not tested: the package dataset-fashion-mnist is not installed");
    return;
  }
  Places places;
  const DataSplit fashion = load_dataset("fashion-mnist");
  CHECK(fashion.train.size() == 60000);
  CHECK(fashion.test.size() == 10000);
  CHECK(fashion.test.class_names[fashion.test.labels[0]] == "ankle boot");
  std::vector<int64_t> count(10);
  for (const int32_t label : fashion.train.labels) ++count[label];
  CHECK(count == std::vector<int64_t>(10, 6000));
}

TEST_CASE("examples are drawn of every class in proportion, in their order, and more of them hold the fewer") {
  // Sorted by class, as many published sets are: 600, 300, 90, 10 and none of the fifth.
  Dataset data{.name = "sorted", .image = {1, 1, 2}, .classes = 5};
  for (const auto& [label, count] : {std::pair{0, 600}, {1, 300}, {2, 90}, {3, 10}})
    data.labels.insert(data.labels.end(), count, label);
  for (int i = 0; i < 1000; ++i)  // two pixels, the number of the example
    data.pixels.insert(data.pixels.end(), {static_cast<uint8_t>(i / 256), static_cast<uint8_t>(i % 256)});
  const auto numbers = [](const Dataset& d) {
    std::vector<int> all;
    for (size_t i = 0; i < d.pixels.size(); i += 2) all.push_back(d.pixels[i] * 256 + d.pixels[i + 1]);
    return all;
  };
  const auto counts = [](const Dataset& d) {
    std::vector<int64_t> n(5);
    for (const int32_t label : d.labels) ++n[label];
    return n;
  };
  Random random(3), same(3), more(3), other(4);
  const Dataset drawn = draw_in_proportion(data, 100, random);
  CHECK(counts(drawn) == std::vector<int64_t>{60, 30, 9, 1, 0});
  const std::vector<int> few = numbers(drawn);
  CHECK(std::is_sorted(few.begin(), few.end()));
  CHECK(counts(draw_in_proportion(data, 10, random)) == std::vector<int64_t>{6, 3, 1, 0, 0});
  CHECK(draw_in_proportion(data, 100, same).pixels == drawn.pixels);
  CHECK(draw_in_proportion(data, 100, other).pixels != drawn.pixels);
  const std::vector<int> many = numbers(draw_in_proportion(data, 200, more));
  CHECK(std::includes(many.begin(), many.end(), few.begin(), few.end()));
  CHECK(draw_in_proportion(data, 1000, random).pixels == data.pixels);
  for (const int64_t count : {0, 1001, -1})
    CHECK(!error_of(Fault::usage, [&] { draw_in_proportion(data, count, random); }).empty());
}

TEST_CASE("of every class a part is drawn, rounded, but one and never all; each class by its name and the seed alone") {
  Labels labels(40, 0);
  labels.insert(labels.end(), 40, 1);
  labels.insert(labels.end(), 5, 2);
  labels.push_back(3);
  const auto drawn = [&](double part, uint64_t seed, const std::vector<std::string>& names) {
    std::vector<std::vector<bool>> of_class(4);
    const std::vector<bool> all = drawn_of_classes(labels, names, part, seed);
    for (size_t i = 0; i < all.size(); ++i) of_class[static_cast<size_t>(labels[i])].push_back(all[i]);
    return of_class;
  };
  const auto counts = [&](double part) {
    std::vector<int64_t> n;
    for (const auto& of : drawn(part, 1, {"a", "b", "c", "d"})) n.push_back(std::ranges::count(of, true));
    return n;
  };
  CHECK(counts(0.3) == std::vector<int64_t>{12, 12, 2, 0});  // of 1.5, 2
  CHECK(counts(0.26) == std::vector<int64_t>{10, 10, 1, 0});
  CHECK(counts(0.001) == std::vector<int64_t>{1, 1, 1, 0});
  CHECK(counts(0.999) == std::vector<int64_t>{39, 39, 4, 0});
  const auto one = drawn(0.3, 1, {"a", "b", "c", "d"});
  CHECK(one[0] != one[1]);
  CHECK(drawn(0.3, 2, {"a", "b", "c", "d"})[0] != one[0]);
  CHECK(drawn(0.3, 1, {"b", "a", "c", "d"})[1] == one[0]);
}

TEST_CASE("taken examples keep what belongs to them and to their set") {
  Dataset data{.name = "set", .image = {1, 1, 1}, .classes = 2, .class_names = {"a", "b"}};
  data.labels = {0, 1, 0};
  data.pixels = {5, 6, 7};
  data.sources = {"x", "y", "z"};
  const Dataset part = take(data, {2, 1}), both = joined(part, data);
  CHECK(part.name == "set");
  CHECK(part.class_names == data.class_names);
  CHECK_FALSE(part.flips);
  CHECK(both.labels == Labels{0, 1, 0, 1, 0});
  CHECK(both.sources == std::vector<std::string>{"z", "y", "x", "y", "z"});
}

TEST_CASE("the checksum covers all pixels and labels, and continues the checksum of another set") {
  Dataset data{.name = "set", .image = {1, 1, 1}, .classes = 2};
  data.labels = {0, 1};
  data.pixels = {5, 6};
  Dataset label = data, pixel = data;
  label.labels[1] = 0;
  pixel.pixels[1] = 7;
  const std::set<uint32_t> all{checksum(data), checksum(label), checksum(pixel), checksum(data, checksum(label)),
                               checksum(data, checksum(pixel))};
  CHECK(all.size() == 5);
}

TEST_CASE("holding out splits the examples, each with its label, in their order") {
  Dataset data{.name = "numbers", .image = {1, 1, 2}, .classes = 100, .flips = true, .class_names = {"a"}};
  for (int i = 0; i < 50; ++i) {
    data.labels.push_back(i);
    data.pixels.insert(data.pixels.end(), {static_cast<uint8_t>(i), static_cast<uint8_t>(i + 100)});
  }
  Random random(1);
  const auto [kept, held] = hold_out(data, 20, random);
  CHECK(kept.size() == 30);
  CHECK(held.size() == 20);
  CHECK(held.flips);
  CHECK(held.class_names == data.class_names);
  std::set<int32_t> all;
  for (const Dataset* part : {&kept, &held}) {
    CHECK(std::is_sorted(part->labels.begin(), part->labels.end()));
    for (int64_t i = 0; i < part->size(); ++i) {
      all.insert(part->labels[i]);
      CHECK(part->pixels[2 * i] == part->labels[i]);
      CHECK(part->pixels[2 * i + 1] == part->labels[i] + 100);
    }
  }
  CHECK(all.size() == 50);
  Random same(1), other(2);
  CHECK(hold_out(data, 20, same).second.labels == held.labels);
  CHECK(hold_out(data, 20, other).second.labels != held.labels);
  for (const int64_t count : {0, 50, 51, -1})
    CHECK(!error_of(Fault::usage, [&] { hold_out(data, count, random); }).empty());
  CHECK(!error_of(Fault::usage, [&] { take(data, {3, 50}); }).empty());
}
