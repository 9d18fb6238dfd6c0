#include "data/formats/image_folder.h"

#include <fmt/core.h>
#include <zlib.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <map>
#include <set>

#include "core/base/parallel.h"
#include "core/io/file.h"
#include "core/io/utf8.h"
#include "data/formats/picture_cache.h"

namespace evenkeel {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t largest_file = uint64_t{1} << 30;

std::string lower(std::string text) {
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return text;
}

// What Windows and macOS leave in folders, and hidden files.
bool passed_over(const std::string& name) {
  const std::string small = lower(name);
  return name.starts_with('.') || small == "thumbs.db" || small == "desktop.ini" || name == "__MACOSX";
}

// The entries of a folder that are not ignored, in byte order.
std::vector<fs::directory_entry> entries(const fs::path& folder) {
  std::vector<fs::directory_entry> found;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (!passed_over(entry.path().filename().string())) found.push_back(entry);
  }
  std::sort(found.begin(), found.end(), [](const fs::directory_entry& a, const fs::directory_entry& b) {
    return a.path().native() < b.path().native();
  });
  return found;
}

// What is below a folder.
struct Found {
  std::vector<std::string> files, links;  // links: those of the files and folders that are symbolic links
  std::set<fs::path> folders = {};        // each once, by its true name
};

void walk(const fs::path& folder, Found& found, const std::function<void(const std::string&)>& unreadable) {
  std::vector<fs::directory_entry> inside;
  try {
    if (!found.folders.insert(fs::canonical(folder)).second) return;
    inside = entries(folder);
  } catch (const fs::filesystem_error& error) {
    if (!unreadable) fail_io(error);
    return unreadable(fmt::format("{}: {}", on_one_line(folder.string()), error.code().message()));
  }
  std::error_code ignored;
  if (fs::is_symlink(folder, ignored)) found.links.push_back(folder.string());
  for (const fs::directory_entry& entry : inside) {
    if (entry.is_directory(ignored)) {
      walk(entry, found, unreadable);
      continue;
    }
    if (entry.is_symlink(ignored)) found.links.push_back(entry.path().string());
    found.files.push_back(entry.path().string());
  }
}

struct Item {
  std::string file;
  int32_t label;
  FileStamp stamp = {};
};
using Classes = std::map<std::string, fs::path>;  // by name, as one line of UTF-8

Classes class_folders(const fs::path& root) {
  Classes classes;
  for (const fs::directory_entry& entry : entries(root)) {
    check_link(entry.path());  // it may be a class
    if (!entry.is_directory()) continue;
    const std::string name = on_one_line(entry.path().filename().string());
    check(classes.emplace(name, entry).second,
          "{}: two folders have the name {} after bytes that are not UTF-8 are escaped", root.string(), name);
  }
  return classes;
}

// Advice if the set has one folder, and that holds two or more: an archive unpacked into a folder of its own. Else "".
std::string inner_set(const Classes& folders) {
  if (folders.size() != 1) return "";
  const fs::path& inner = folders.begin()->second;
  std::error_code ignored;
  const auto several = std::count_if(fs::directory_iterator(inner, ignored), {}, [&](const fs::directory_entry& entry) {
    return entry.is_directory(ignored) && !passed_over(entry.path().filename().string());
  });
  return several < 2 ? ""
                     : fmt::format("; if the set is in {}, which has {} folders, name that", inner.string(), several);
}

// The names of the folders of the training and the test images, if the folders are such parts; one of them may be
// missing.
struct Parts {
  std::string train, test;
  bool any() const { return !train.empty() || !test.empty(); }
};

// Beside other folders a folder called train is a class, unless one of them is called test, val or the like; so is one
// called valid beside one called invalid.
Parts parts_of(const Classes& folders, const std::vector<std::string>& known, const std::string& path,
               const LoadReport& report) {
  const std::vector<const char*> for_training = {"train", "training"},
                                 for_test = {"test", "testing", "val", "valid", "validation"};
  const auto first = [&](const std::vector<const char*>& words) {
    for (const std::string word : words) {
      for (const auto& [name, place] : folders)
        if (lower(name) == word) return name;
    }
    return std::string();
  };
  const Parts parts{first(for_training), first(for_test)};
  const bool lone = folders.size() == 1 && std::find(known.begin(), known.end(), folders.begin()->first) == known.end();
  if (folders.contains("test") || folders.contains("val") || lone || (!parts.train.empty() && !parts.test.empty())) {
    for (const auto& [name, place] : folders)
      if (parts.any() && name != parts.train && name != parts.test)
        note_unread(report, path, name, parts.test.empty() ? parts.train : parts.test);
    return parts;
  }
  for (const std::string& name : {parts.train, parts.test}) {
    if (name.empty() || class_folders(folders.at(name)).empty()) continue;
    report.note(
        fmt::format("{}: {} is taken for a class, with all that is below it; folders of training and test images are "
                    "called train and test (or val, valid, validation)",
                    path, name));
  }
  return {};
}

// Appends the symbolic links that it follows to `links`.
std::vector<Item> items(const Classes& classes, const std::vector<std::string>& names, const std::string& path,
                        std::vector<std::string>& links) {
  std::string known;
  for (const std::string& name : names) known += (known.empty() ? "" : ", ") + name;
  std::vector<Item> all;
  for (const auto& [name, folder] : classes) {
    const auto place = std::find(names.begin(), names.end(), name);
    check(place != names.end(), "{}: the network has no class {}; it knows {}{}", path, name, known,
          inner_set(classes));
    Found found;
    walk(folder, found, {});
    links.insert(links.end(), found.links.begin(), found.links.end());
    for (std::string& file : found.files) all.push_back({std::move(file), static_cast<int32_t>(place - names.begin())});
  }
  return all;
}

Picture header_of(const std::string& file) {
  constexpr uint64_t most = 1 << 16;
  std::string beginning(most, '\0');
  beginning.resize(open_input(file).read(0, beginning.data(), beginning.size()));
  try {
    return picture_header(on_one_line(file), beginning);
  } catch (const Error&) {
    if (beginning.size() < most) throw;  // it was the whole file
    return picture_header(on_one_line(file), read_file(file, largest_file));
  }
}

std::vector<Item> hold_out_items(std::vector<Item>& from, const std::vector<std::string>& names, double part,
                                 uint64_t seed) {
  Labels labels;
  for (const Item& item : from) labels.push_back(item.label);
  const std::vector<bool> is_held = drawn_of_classes(labels, names, part, seed);
  std::vector<Item> kept, held;
  for (size_t i = 0; i < from.size(); ++i) (is_held[i] ? held : kept).push_back(std::move(from[i]));
  from = std::move(kept);
  return held;
}

// Calls f for every item, in parallel, and reports progress. An Error thrown by f belongs to its item. A part is large
// enough to take some hundredths of a second.
template <class F>
void each_item(size_t count, std::vector<std::string>& errors, const std::function<void(int64_t)>& progress, F f) {
  using Clock = std::chrono::steady_clock;
  const size_t least = std::max<size_t>(16, 4 * static_cast<size_t>(threads()));
  for (size_t begin = 0, n, at_once = least; begin < count; begin += n) {
    n = std::min(at_once, count - begin);
    const auto start = Clock::now();
    parallel_for(static_cast<int64_t>(n), [&](int64_t i) {
      const size_t item = begin + static_cast<size_t>(i);
      if (!errors[item].empty()) return;
      try {
        f(item);
      } catch (const Error& error) {
        errors[item] = error.what();
      }
    });
    progress(static_cast<int64_t>(begin + n));
    const std::chrono::duration<double> took = Clock::now() - start;
    at_once = took.count() < 0.02 ? 2 * at_once : took.count() > 0.1 ? std::max(least, at_once / 2) : at_once;
  }
}

void check_bad(const std::vector<std::string>& errors, const PictureOptions& options, const std::string& path,
               const LoadReport& report) {
  const auto bad = errors.size() - static_cast<size_t>(std::count(errors.begin(), errors.end(), ""));
  if (bad == 0) return;
  std::string list;
  size_t listed = 0;
  for (const std::string& e : errors) {
    if (!e.empty() && listed++ < 5) list += "\n  " + e;
  }
  if (bad > 5) list += "\n  ...";
  if (!options.skip_bad)  // without a number: not all files may have been decoded yet
    fail(Fault::bad_file, "{}: has files that cannot be used; --skip-bad skips and counts all such files:{}", path,
         list);
  report.note(fmt::format("{}: {} file{} cannot be used, skipped:{}", path, bad, bad == 1 ? "" : "s", list));
}

// The common shape of all pictures.
Shape common_shape(const std::vector<Picture>& headers, const std::vector<std::string>& errors,
                   const PictureOptions& options, const std::string& path, const LoadReport& report) {
  const Picture* first = nullptr;
  bool agree = true, colour = false;
  for (size_t i = 0; i < headers.size(); ++i) {
    if (!errors[i].empty()) continue;
    if (!first) first = &headers[i];
    agree &= headers[i].height == first->height && headers[i].width == first->width;
    colour |= headers[i].channels == 3;
  }
  const int64_t channels = options.channels > 0 ? options.channels : colour ? 3 : 1;
  if (options.height > 0) return {options.height, options.width, channels};
  if (!first || !agree) {
    report.note(
        fmt::format("{}: the pictures differ in size; each becomes 32x32 (--image-size says another size)", path));
    return {32, 32, channels};
  }
  check_largest(path, first->height, first->width);
  return {first->height, first->width, channels};
}

void describe(const DataSplit& split, const std::string& path, const LoadReport& report) {
  std::vector<int64_t> count(static_cast<size_t>(split.train.classes));
  for (const Dataset* part : {&split.train, &split.test}) {
    for (const int32_t label : part->labels) ++count[static_cast<size_t>(label)];
  }
  std::string classes;
  for (size_t i = 0; i < std::min<size_t>(count.size(), 10); ++i)
    classes += fmt::format("{}{} {}", i ? ", " : "", split.train.class_names[i], count[i]);
  report.note(fmt::format(
      "{}: {} classes ({}{}){}", path, count.size(), classes, count.size() > 10 ? " ..." : "",
      split.held_out > 0 ? fmt::format(", {:.4g} % of each held out to be the test set", 100 * split.held_out) : ""));
}

}  // namespace

void note_unread(const LoadReport& report, const std::string& path, const std::string& part, const std::string& other) {
  report.note(fmt::format("{}: {} is not read, since {} is there", path, part, other));
}

void check_largest(const std::string& path, int64_t height, int64_t width) {
  check(height <= 1024 && width <= 1024,
        "{}: its images are {}x{}; give a smaller size: --image-size HEIGHTxWIDTH, at most 1024", path, height, width);
}

std::vector<std::string> picture_files(const std::string& folder,
                                       const std::function<void(const std::string&)>& unreadable) {
  Found found;
  walk(folder, found, unreadable);
  return std::move(found.files);
}

Picture read_picture(const std::string& file, int64_t height, int64_t width, int64_t channels) {
  return fit_picture(decode_picture(on_one_line(file), read_file(file, largest_file)), height, width, channels);
}

DataSplit read_image_folder(const std::string& path, const PictureOptions& options, const LoadReport& report) {
  const fs::path root = path;
  std::vector<std::string> inputs{path};  // and the symbolic links that lead out of the folder
  Classes train_classes = class_folders(root), test_classes;
  const Parts parts = parts_of(train_classes, options.classes, path, report);
  if (parts.any()) {
    const Classes folders = std::move(train_classes);
    const auto classes = [&](const std::string& part) {
      if (part.empty()) return Classes();
      if (fs::is_symlink(folders.at(part))) inputs.push_back(folders.at(part).string());
      return class_folders(folders.at(part));
    };
    train_classes = classes(parts.train);
    test_classes = classes(parts.test);
  }
  std::vector<std::string> names = options.classes;
  if (names.empty()) {
    Classes all = train_classes;
    all.insert(test_classes.begin(), test_classes.end());
    for (const auto& [name, place] : all) names.push_back(name);
    check(names.size() >= 2, "{}: needs a folder for each of two or more classes of pictures, has {}{}", path,
          names.empty() ? "none" : "one: " + names.front(), inner_set(all));
  }
  std::vector<Item> train_items = items(train_classes, names, path, inputs),
                    test_items = items(test_classes, names, path, inputs);
  DataSplit split{.train = {},
                  .test = {},
                  .folder = path,
                  .inputs = std::move(inputs),
                  .held_out = test_classes.empty() ? options.holdout : 0};
  if (split.held_out > 0) test_items = hold_out_items(train_items, names, options.holdout, options.seed);
  for (const auto& [has, lacks, where] : {std::tuple(&train_classes, &test_classes, parts.test),
                                          std::tuple(&test_classes, &train_classes, parts.train)}) {
    for (const auto& [name, place] : *has) {
      if (!lacks->empty() && !lacks->contains(name))
        report.note(fmt::format("{}: {} has no folder of class {}", path, where, name));
    }
  }

  const size_t trained = train_items.size();
  std::vector<Item> all = std::move(train_items);
  all.insert(all.end(), std::make_move_iterator(test_items.begin()), std::make_move_iterator(test_items.end()));
  check(!all.empty(), "{}: there is no picture in the classes' folders", path);
  const auto total = static_cast<int64_t>(all.size());
  const size_t root_bytes = (root / "").native().size();
  const auto name_below_root = [&](const Item& item) { return std::string_view(item.file).substr(root_bytes); };
  const PictureCache cache(path, options);
  std::vector<const KeptPicture*> known(all.size());
  std::vector<std::string> errors(all.size());
  std::vector<Picture> headers(all.size());
  each_item(
      all.size(), errors, [&](int64_t) { report.progress(0, total); },
      [&](size_t i) {
        const std::string& file = all[i].file;
        all[i].stamp = cache.stamp(file);
        known[i] = cache.find(name_below_root(all[i]), all[i].stamp);
        headers[i] = known[i] ? known[i]->header : header_of(file);
      });
  if (!options.skip_bad) check_bad(errors, options, path, report);
  const Shape image = common_shape(headers, errors, options, path, report);
  const auto size = static_cast<size_t>(image.size());
  Pixels &train = split.train.pixels, &tested = split.test.pixels;
  train.resize(trained * size);
  tested.resize((all.size() - trained) * size);
  std::vector<KeptPicture> kept(all.size());  // entries without a name are not cached
  std::vector<uint8_t> decoded(all.size());
  each_item(
      all.size(), errors, [&](int64_t done) { report.progress(done, total); },
      [&](size_t i) {
        uint8_t* pixels = i < trained ? train.data() + i * size : tested.data() + (i - trained) * size;
        const std::string_view name = name_below_root(all[i]);
        kept[i] = {.name = name, .stamp = all[i].stamp, .header = headers[i], .crc = 0, .place = i};
        if (known[i] && cache.read(*known[i], image, pixels)) {
          kept[i].crc = known[i]->crc;
          return;
        }
        const Picture picture = read_picture(all[i].file, image[0], image[1], image[2]);
        std::copy(picture.pixels.begin(), picture.pixels.end(), pixels);
        kept[i].crc = static_cast<uint32_t>(crc32_z(0, pixels, size));
        decoded[i] = cache.settled(all[i].stamp) && cache.stamp(all[i].file) == all[i].stamp;
        if (!decoded[i]) kept[i].name = {};
      });
  check_bad(errors, options, path, report);
  if (std::find(decoded.begin(), decoded.end(), 1) != decoded.end()) {
    std::vector<KeptPicture> whole;
    for (size_t i = 0; i < all.size(); ++i) {
      if (errors[i].empty() && !kept[i].name.empty()) whole.push_back(kept[i]);
    }
    const auto bytes = [](const Pixels& p) {
      return std::string_view(reinterpret_cast<const char*>(p.data()), p.size());
    };
    if (const std::string why = cache.keep(whole, image, {bytes(train), bytes(tested)}); !why.empty())
      report.note(fmt::format("{}: its decoded pictures are not kept for the next time: {}", path, why));
  }

  for (Dataset* part : {&split.train, &split.test}) {
    part->name = path;
    part->image = image;
    part->classes = static_cast<int64_t>(names.size());
    part->class_names = names;
    const size_t begin = part == &split.train ? 0 : trained, end = part == &split.train ? trained : all.size();
    for (size_t i = begin; i < end; ++i) {
      if (!errors[i].empty()) continue;
      uint8_t* pixels = part->pixels.data();
      if (part->labels.size() < i - begin)
        std::copy_n(pixels + (i - begin) * size, size, pixels + part->labels.size() * size);
      part->labels.push_back(all[i].label);
      part->sources.push_back(on_one_line(name_below_root(all[i])));
    }
    part->pixels.resize(part->labels.size() * size);
  }
  const std::set<int32_t> seen(split.train.labels.begin(), split.train.labels.end());
  if (options.classes.empty() && seen.size() == 1)
    fail(Fault::usage, "{}: needs pictures of two or more classes to train on, has those of one: {}", path,
         names[static_cast<size_t>(*seen.begin())]);
  describe(split, path, report);
  return split;
}

}  // namespace evenkeel
