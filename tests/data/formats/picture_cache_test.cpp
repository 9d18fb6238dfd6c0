// Decoded pictures that are kept: the same pixels without a look into the files, and never those of another picture.
#include "data/formats/picture_cache.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <set>
#include <sstream>
#include <thread>

#include "data/formats/image_folder.h"
#include "tests/data_files.h"
#include "tests/pictures.h"
#include "tests/scratch.h"

using namespace evenkeel;

namespace {

namespace fs = std::filesystem;

RawPicture drawn(int number, int side = 4) {
  RawPicture p = ramp(side, side, 1);
  for (uint8_t& v : p.pixels) v = static_cast<uint8_t>(v * 7 + number * 11);
  return p;
}

// Two classes of pictures, old enough to be kept.
void save_pictures(const std::string& folder, int each) {
  for (const std::string kind : {"a", "b"}) {
    fs::create_directories(folder + "/" + kind);
    for (int i = 0; i < each; ++i)
      save(folder + "/" + kind + "/" + std::to_string(i) + ".png", png(drawn(2 * i + (kind == "b"))));
  }
}
void wait_until_settled() { std::this_thread::sleep_for(std::chrono::milliseconds(150)); }

DataSplit load(const std::string& folder, const PictureOptions& options, std::string* notes = nullptr) {
  LoadReport report;
  if (notes) report.note = [notes](const std::string& line) { *notes += line + "\n"; };
  return read_image_folder(folder, options, report);
}

bool same(const DataSplit& a, const DataSplit& b) {
  const auto equal = [](const Dataset& x, const Dataset& y) {
    return x.image == y.image && x.pixels == y.pixels && x.labels == y.labels && x.sources == y.sources &&
           x.class_names == y.class_names;
  };
  return equal(a.train, b.train) && equal(a.test, b.test);
}

// How many files in the folders were opened while f ran.
template <class F>
size_t opened(const std::vector<std::string>& folders, F f) {
  const int watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  REQUIRE(watch >= 0);
  for (const std::string& folder : folders) REQUIRE(inotify_add_watch(watch, folder.c_str(), IN_OPEN) >= 0);
  f();
  std::set<std::pair<int, std::string>> files;
  alignas(inotify_event) char buffer[1 << 16];
  for (ssize_t n; (n = read(watch, buffer, sizeof buffer)) > 0;) {
    for (ssize_t at = 0; at < n;) {
      const auto* event = reinterpret_cast<const inotify_event*>(buffer + at);
      if (event->len > 0 && (event->mask & IN_ISDIR) == 0) files.emplace(event->wd, event->name);  // else: a folder
      at += static_cast<ssize_t>(sizeof *event + event->len);
    }
  }
  close(watch);
  return files.size();
}

std::vector<std::string> files_in(const std::string& folder) {
  std::vector<std::string> files;
  for (const auto& entry : fs::directory_iterator(folder)) files.push_back(entry.path().string());
  return files;
}

std::string contents(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  return (std::ostringstream() << in.rdbuf()).str();
}

}  // namespace

TEST_CASE("kept pictures: the second time no picture is opened, and all is the same, also in another split") {
  const Scratch scratch;
  const std::string data = scratch / "data", kept = scratch / "user/pictures";
  save_pictures(data, 10);
  wait_until_settled();
  const std::vector<std::string> classes{data + "/a", data + "/b"};
  for (const auto& [height_, width, channels] : {std::tuple(0, 0, 0), std::tuple(3, 5, 0), std::tuple(3, 5, 3)}) {
    const auto& height = height_;
    for (const uint64_t seed : {1, 2}) {
      CAPTURE(height);
      PictureOptions options{.height = height, .width = width, .channels = channels, .seed = seed};
      const DataSplit plain = load(data, options);
      options.cache = kept;
      DataSplit cold, warm;
      CHECK(opened(classes, [&] { cold = load(data, options); }) == (seed == 1 ? 20 : 0));
      CHECK(opened(classes, [&] { warm = load(data, options); }) == 0);
      CHECK(same(cold, plain));
      CHECK(same(warm, plain));
    }
  }
  CHECK(files_in(kept).size() == 3);
  struct stat status {};
  REQUIRE(stat(kept.c_str(), &status) == 0);
  CHECK((status.st_mode & 077) == 0);
}

TEST_CASE("kept pictures: a file that changed, came, went or got another name is as it is now") {
  const Scratch scratch;
  const std::string data = scratch / "data";
  save_pictures(data, 5);
  wait_until_settled();
  const PictureOptions plain, cached{.cache = scratch / "kept"};
  (void)load(data, cached);
  const std::string one = data + "/a/1.png", two = data + "/b/2.png";
  struct stat old {};
  REQUIRE(stat(one.c_str(), &old) == 0);
  const auto reads = [&](size_t files) {
    CHECK(same(load(data, cached), load(data, plain)));  // too young to be kept, or not
    wait_until_settled();
    const std::vector<std::string> classes{fs::exists(data + "/a") ? data + "/a" : data + "/c", data + "/b"};
    const PictureOptions again{.seed = 2, .cache = scratch / "kept"};
    CHECK(opened(classes, [&] { (void)load(data, again); }) <= files);
    CHECK(opened(classes, [&] { CHECK(same(load(data, cached), load(data, {.cache = again.cache}))); }) == 0);
    CHECK(same(load(data, cached), load(data, plain)));
  };
  const std::string other = png(drawn(77));
  REQUIRE(static_cast<off_t>(other.size()) == old.st_size);
  save(one, other);  // of the same size, and said to be as old
  const timespec times[] = {old.st_atim, old.st_mtim};
  REQUIRE(utimensat(AT_FDCWD, one.c_str(), times, 0) == 0);
  reads(1);
  fs::rename(two, data + "/b/zz.png");
  reads(1);
  save(data + "/b/new.png", png(drawn(9)));
  reads(1);
  fs::remove(one);
  CHECK(same(load(data, cached), load(data, plain)));
  fs::rename(data + "/a", data + "/c");
  reads(4);
}

TEST_CASE(
    "kept pictures: one that changes right after it was read, or while others are, is not taken for the old one") {
  const Scratch scratch;
  const std::string data = scratch / "data";
  save_pictures(data, 2);
  const PictureOptions plain, cached{.cache = scratch / "kept"};
  for (int i = 0; i < 60; ++i) {  // mostly within one tick of the file system's clock
    const std::string before = png(drawn(2 * i)), after = png(drawn(2 * i + 1));
    LoadReport then;
    then.progress = [&](int64_t done, int64_t total) {
      if (done == total) save(data + "/a/0.png", after);  // all are read
    };
    save(data + "/a/0.png", before);
    (void)read_image_folder(data, cached, then);
    REQUIRE(same(load(data, cached), load(data, plain)));
  }
  save_pictures(scratch / "many", 40);
  wait_until_settled();
  bool changed = false;
  LoadReport report;
  report.progress = [&](int64_t done, int64_t) {
    if (done > 0 && !std::exchange(changed, true)) save(scratch / "many/a/0.png", png(drawn(200)));
  };
  (void)read_image_folder(scratch / "many", cached, report);
  REQUIRE(changed);
  CHECK(same(load(scratch / "many", cached), load(scratch / "many", plain)));
}

TEST_CASE("kept pictures: one so young that a change within a tick of the clock would not show is not kept") {
  const Scratch scratch;
  const auto now = [] {
    return int64_t{std::chrono::nanoseconds(std::chrono::system_clock::now().time_since_epoch()).count()};
  };
  constexpr int64_t second = 1'000'000'000;
  const int64_t before = now();
  const PictureCache cache(scratch.path, {.cache = scratch / "kept"});
  const int64_t after = now(), old = (before - second / 5) | 1;  // of times in finer ticks than a second
  CHECK(cache.settled({1, old, old}));
  CHECK(!cache.settled({1, old, after | 1}));
  CHECK(!cache.settled({1, after | 1, old}));
  const int64_t whole = (after / second + 1) * second;
  CHECK(!cache.settled({1, whole - 2 * second, old - 9 * second}));
  CHECK(cache.settled({1, whole - 9 * second, old - 9 * second}));
}

TEST_CASE("kept pictures: a file that is damaged anywhere, cut short or another's is none, and is made anew") {
  const Scratch scratch;
  const std::string data = scratch / "data";
  save_pictures(data, 2);
  wait_until_settled();
  const PictureOptions cached{.holdout = 0.5, .cache = scratch / "kept"};
  const DataSplit truth = load(data, cached);
  const std::string file = files_in(scratch / "kept").at(0), whole = contents(file);
  for (size_t i = 0; i < whole.size(); ++i) {
    std::string damaged = whole;
    damaged[i] = static_cast<char>(damaged[i] ^ (1 << i % 8));
    save(file, damaged);
    REQUIRE(same(load(data, cached), truth));
  }
  for (size_t length = 0; length < whole.size(); length += 7) {
    save(file, whole.substr(0, length));
    REQUIRE(same(load(data, cached), truth));
    CHECK(contents(file) == whole);
  }
  save_pictures(scratch / "other", 2);
  save(scratch / "other/a/0.png", png(drawn(50)));
  wait_until_settled();
  const PictureOptions apart{.holdout = 0.5, .cache = scratch / "apart"};
  const DataSplit other = load(scratch / "other", apart);
  save(files_in(scratch / "apart").at(0), whole);
  CHECK(same(load(scratch / "other", apart), other));
}

TEST_CASE("kept pictures: files that are none are looked at each time, the others are kept") {
  const Scratch scratch;
  const std::string data = scratch / "data";
  save_pictures(data, 4);
  save(data + "/a/00.png", "no picture");
  std::string cut = png(drawn(3));
  cut.resize(cut.size() - 20);
  save(data + "/b/2.png", cut);
  wait_until_settled();
  const PictureOptions cached{.cache = scratch / "kept", .skip_bad = true};
  std::string first, second;
  const DataSplit cold = load(data, cached, &first);
  DataSplit warm;
  CHECK(opened({data + "/a", data + "/b"}, [&] { warm = load(data, cached, &second); }) == 2);
  CHECK(same(cold, warm));
  CHECK(cold.train.size() + cold.test.size() == 7);
  CHECK(first.find("2 files cannot be used") != std::string::npos);
  CHECK(first == second);
}

TEST_CASE("kept pictures: all of them stay below the bound, those longest not used go") {
  const Scratch scratch;
  for (const char* name : {"one", "two", "three"}) save_pictures(scratch / name, 8);
  wait_until_settled();
  PictureOptions cached{.cache = scratch / "kept"};
  (void)load(scratch / "one", cached);
  const std::string one = files_in(scratch / "kept").at(0);
  cached.cache_bytes = fs::file_size(one) * 5 / 2;
  (void)load(scratch / "two", cached);
  CHECK(files_in(scratch / "kept").size() == 2);
  fs::last_write_time(one, fs::file_time_type::clock::now() - std::chrono::hours(2));
  for (const std::string& file : files_in(scratch / "kept")) {
    if (file != one) fs::last_write_time(file, fs::file_time_type::clock::now() - std::chrono::hours(1));
  }
  (void)load(scratch / "one", cached);  // is used
  (void)load(scratch / "three", cached);
  CHECK(files_in(scratch / "kept").size() == 2);
  CHECK(fs::exists(one));

  std::string notes;
  cached.cache_bytes = 1000;
  cached.cache = scratch / "small";
  const DataSplit split = load(scratch / "one", cached, &notes);
  CHECK(split.train.size() > 0);
  CHECK_MESSAGE(notes.find("are not kept for the next time: they take ") != std::string::npos, notes);
  CHECK(!fs::exists(scratch / "small"));
}

TEST_CASE("kept pictures: only the cache's own files are removed") {
  const Scratch scratch;
  save_pictures(scratch / "one", 8);
  save_pictures(scratch / "two", 8);
  wait_until_settled();
  PictureOptions cached{.cache = scratch / "mine"};
  (void)load(scratch / "one", cached);
  const std::string one = files_in(cached.cache).at(0);
  cached.cache_bytes = fs::file_size(one) * 3 / 2;
  const std::string written = cached.cache + "/89abcdef.pictures.0123456789ab.part";  // by another process
  for (const std::string& other : {cached.cache + "/thesis.tex", cached.cache + "/holiday.pictures", written})
    save(other, std::string(cached.cache_bytes, 'x'));
  (void)load(scratch / "two", cached);
  CHECK(files_in(cached.cache).size() == 4);
  CHECK(!fs::exists(one));
  CHECK(fs::exists(written));
  CHECK(clear_picture_cache(cached.cache).first == 2);
  CHECK(files_in(cached.cache).size() == 2);
  CHECK(fs::exists(cached.cache + "/thesis.tex"));
}

TEST_CASE("kept pictures: the folder may be a relative path of one name") {
  const Scratch scratch;
  save_pictures(scratch / "data", 2);
  wait_until_settled();
  const fs::path before = fs::current_path();
  fs::current_path(scratch.path);
  std::string notes;
  (void)load("data", {.cache = "mine"}, &notes);
  fs::current_path(before);
  CHECK_MESSAGE(notes.find("not kept") == std::string::npos, notes);
  CHECK(fs::exists(scratch / "mine"));
}

TEST_CASE("kept pictures: where none can be written all goes on, and that is said; clearing removes what is kept") {
  const Scratch scratch;
  save_pictures(scratch / "data", 3);
  wait_until_settled();
  save(scratch / "file", "");
  std::string notes;
  (void)load(scratch / "data", {.cache = scratch / "file/pictures"}, &notes);
  CHECK_MESSAGE(notes.find("its decoded pictures are not kept for the next time: ") != std::string::npos, notes);
  notes.clear();
  (void)load(scratch / "data", {.cache = scratch / "made/here/pictures"}, &notes);
  CHECK(notes.find("not kept") == std::string::npos);
  save(scratch / "made/here/pictures/README", "mine");
  save(scratch / "made/here/pictures/01234567.pictures.0123456789ab.part", "killed");
  CHECK(clear_picture_cache(scratch / "made/here/pictures").first == 2);
  CHECK(files_in(scratch / "made/here/pictures").size() == 1);
  CHECK(clear_picture_cache(scratch / "nowhere") == std::pair<int64_t, uint64_t>(0, 0));
}
