#include "data/formats/npy.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <optional>

#include "core/io/file.h"
#include "core/io/utf8.h"
#include "data/formats/zip.h"

namespace evenkeel {
namespace {

namespace fs = std::filesystem;

enum Role { images, labels };
enum Part { train, test, validation };

struct Place {
  Role role;
  Part part;
};

// What an array's name says, if it belongs to a pair.
std::optional<Place> place_of(std::string name) {
  if (!name.ends_with(".npy")) return {};
  name.resize(name.size() - 4);
  std::vector<std::string> words(1);
  for (char c : name) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
      words.back() += c;
    else
      words.emplace_back();
  }
  const auto any = [&](std::initializer_list<const char*> known) {
    return std::any_of(words.begin(), words.end(),
                       [&](const std::string& w) { return std::find(known.begin(), known.end(), w) != known.end(); });
  };
  const bool image = any({"images", "image", "imgs", "img", "x", "data"}),
             label = any({"labels", "label", "y", "targets", "target"});
  if (image == label) return {};
  return Place{image ? images : labels, any({"test", "t10k"})                 ? test
                                        : any({"val", "valid", "validation"}) ? validation
                                                                              : train};
}

// An array's header (NEP 1): magic, version, the length of a Python dictionary, the dictionary.
struct Header {
  char kind = 0;  // 'u', 'i', 'f'
  size_t bytes = 0;
  bool big = false;
  std::vector<int64_t> shape;
  uint64_t length = 0;  // of the header itself
  uint64_t count() const {
    uint64_t n = 1;
    for (const int64_t d : shape) n *= static_cast<uint64_t>(d);
    return n;
  }
};

Header read_header(const std::string& name, ByteReader& reader) {
  char front[8];
  reader.read(front, sizeof front);
  if (std::memcmp(front, "\x93NUMPY", 6) != 0 || front[6] < 1 || front[6] > 3)
    fail(Fault::bad_file, "{}: is no NumPy array: it must begin with \\x93NUMPY and version 1, 2 or 3", name);
  uint8_t sizes[4] = {};
  reader.read(sizes, front[6] == 1 ? 2 : 4);
  const size_t length = size_t{sizes[0]} | size_t{sizes[1]} << 8 | size_t{sizes[2]} << 16 | size_t{sizes[3]} << 24;
  if (length > 1 << 16) fail(Fault::bad_file, "{}: its header claims {} bytes; at most 65536 are read", name, length);
  std::string text(length, '\0');
  reader.read(text.data(), text.size());
  const auto behind = [&](const char* key) {
    const size_t at = text.find(std::string("'") + key + "':");
    if (at == std::string::npos) fail(Fault::bad_file, "{}: its header has no '{}'", name, key);
    const size_t value = text.find_first_not_of(' ', at + std::strlen(key) + 3);
    return value == std::string::npos ? std::string_view() : std::string_view(text).substr(value);
  };
  Header h;
  h.length = 8 + (front[6] == 1 ? 2 : 4) + length;
  const std::string_view descr = behind("descr");
  const std::string type(descr.substr(0, std::min<size_t>(20, descr.find('\'', 1) + 1)));  // with its quotes
  const auto one_of = [](std::string_view characters, char c) { return characters.find(c) != std::string_view::npos; };
  const bool known = type.size() == 5 && type[0] == '\'' && type[4] == '\'' && one_of("<>|=", type[1]) &&
                     one_of("uif", type[2]) && one_of(type[2] == 'f' ? "48" : "1248", type[3]);
  if (!known)
    fail(Fault::bad_file, "{}: its type {} is not read; integers, float32 and float64 are", name, on_one_line(type));
  h.kind = type[2];
  h.bytes = static_cast<size_t>(type[3] - '0');
  h.big = type[1] == '>';
  if (!behind("fortran_order").starts_with("False"))
    fail(Fault::bad_file, "{}: is in Fortran order; save it by numpy.save(..., numpy.ascontiguousarray(a))", name);
  std::string_view shape = behind("shape");
  if (!shape.starts_with('(')) fail(Fault::bad_file, "{}: its header has no shape", name);
  shape = shape.substr(1, shape.find(')') - 1);
  for (uint64_t total = 1; !shape.empty();) {
    const size_t end = std::min(shape.find(','), shape.size());
    std::string_view extent = shape.substr(0, end);
    extent.remove_prefix(std::min(extent.find_first_not_of(' '), extent.size()));
    if (!extent.empty()) {
      int64_t d = -1;
      const auto [rest, error] = std::from_chars(extent.data(), extent.data() + extent.size(), d);
      if (error != std::errc() || rest != extent.data() + extent.size() || d < 0 || h.shape.size() == 8 ||
          __builtin_mul_overflow(total, static_cast<uint64_t>(std::max<int64_t>(d, 1)), &total) || total >> 48)
        fail(Fault::bad_file, "{}: its shape is invalid: \"{}\"", name, on_one_line(extent));
      h.shape.push_back(d);
    }
    shape.remove_prefix(std::min(end + 1, shape.size()));
  }
  return h;
}

std::string text_of(const std::vector<int64_t>& shape) {
  std::string text;
  for (const int64_t d : shape) text += (text.empty() ? "" : ", ") + std::to_string(d);
  return "(" + text + ")";
}

template <class T>
T value_at(const std::string& bytes, uint64_t i, bool big) {
  T value;
  char raw[sizeof value];
  std::memcpy(raw, bytes.data() + i * sizeof value, sizeof value);
  if (big) std::reverse(raw, raw + sizeof value);
  std::memcpy(&value, raw, sizeof value);
  return value;
}

struct Array {
  std::string name;  // for messages
  Header header;
  std::string bytes;
  bool floats() const { return header.kind == 'f'; }
  double real_at(uint64_t i) const {
    return header.bytes == 4 ? static_cast<double>(value_at<float>(bytes, i, header.big))
                             : value_at<double>(bytes, i, header.big);
  }
  int64_t integer_at(uint64_t i) const {
    const bool s = header.kind == 'i', big = header.big;
    switch (header.bytes) {
      case 1:
        return s ? value_at<int8_t>(bytes, i, big) : value_at<uint8_t>(bytes, i, big);
      case 2:
        return s ? value_at<int16_t>(bytes, i, big) : value_at<uint16_t>(bytes, i, big);
      case 4:
        return s ? value_at<int32_t>(bytes, i, big) : value_at<uint32_t>(bytes, i, big);
      default:
        return value_at<int64_t>(bytes, i, big);  // from 2^63 on: negative, and therefore refused
    }
  }
};

Array read_array(const std::string& name, ByteReader& reader, uint64_t size) {
  Array a{.name = name, .header = read_header(name, reader), .bytes = {}};
  const uint64_t wanted = a.header.count() * a.header.bytes;
  if (size != a.header.length + wanted)
    fail(Fault::bad_file, "{}: its header promises {} bytes of data, {} are there", name, wanted,
         size - std::min(size, a.header.length));
  a.bytes.resize(wanted);
  reader.read(a.bytes.data(), wanted);
  reader.finish();
  return a;
}

struct Pair {
  std::optional<Array> images, labels;
};

void keep(Pair (&pairs)[3], const Place& place, Array array) {
  std::optional<Array>& slot = place.role == images ? pairs[place.part].images : pairs[place.part].labels;
  if (slot)
    fail(Fault::bad_file, "by their names, {} and {} are both {} of the same part", slot->name, array.name,
         place.role == images ? "images" : "labels");
  slot = std::move(array);
}

// The shape (N, H, W, C) of the images as they will be.
std::vector<int64_t> image_shape(const Array& a, const PictureOptions& options, bool& first) {
  std::vector<int64_t> s = a.header.shape;
  if (s.size() == 3) s.push_back(1);
  if (s.size() != 4)
    fail(Fault::bad_file, "{}: images must be (N, H, W), (N, H, W, C) or (N, C, H, W), it is {}", a.name,
         text_of(a.header.shape));
  if (s[0] == 0) fail(Fault::bad_file, "{}: has no image, its shape is {}", a.name, text_of(a.header.shape));
  const std::vector<int64_t> known{s[0], options.height, options.width, options.channels};
  // For a network's input, its shape decides, or the fact that only one order has 1 or 3 channels.
  const std::vector<int64_t> moved{s[0], s[2], s[3], s[1]};
  const auto pictures = [](const std::vector<int64_t>& shape) { return shape[3] == 1 || shape[3] == 3; };
  first = a.header.shape.size() == 4 &&
          (options.channels_first ||
           (!options.classes.empty() && s != known && (moved == known || (!pictures(s) && pictures(moved)))));
  if (first) s = moved;
  if (!pictures(s) || s[1] < 1 || s[2] < 1)
    fail(Fault::bad_file,
         "{}: images must have 1 or 3 channels, and rows and columns; {} taken as {} has {}, {} and {}{}", a.name,
         text_of(a.header.shape), options.channels_first ? "(N, C, H, W)" : "(N, H, W, C)", s[3], s[1], s[2],
         !first && pictures(moved) ? " (--channels-first takes it as (N, C, H, W))" : "");
  return s;
}

struct Range {
  double low = 0, high = 0;
};

// Error, with the index, if a value is not finite.
void include(const Array& a, Range& range) {
  const uint64_t n = a.header.count();
  for (uint64_t i = 0; i < n; ++i) {
    const double v = a.real_at(i);
    if (!std::isfinite(v)) {
      std::vector<int64_t> place;
      uint64_t rest = i;
      for (size_t axis = a.header.shape.size(); axis-- > 0; rest /= static_cast<uint64_t>(a.header.shape[axis]))
        place.insert(place.begin(), static_cast<int64_t>(rest % static_cast<uint64_t>(a.header.shape[axis])));
      fail(Fault::bad_file, "{}: its value at {} is {}; all must be finite", a.name, text_of(place), v);
    }
    range.low = std::min(range.low, v);
    range.high = std::max(range.high, v);
  }
}

struct Scale {
  double add = 0, factor = 1;
  std::string words;
};

Scale scale_of(const Range& range, const std::string& path) {
  if (range.low >= 0 && range.high <= 1) return {0, 255, "from 0 to 1, taken times 255"};
  if (range.low >= -1 && range.high <= 1) return {1, 127.5, "from -1 to 1, mapped onto 0 to 255"};
  if (range.low >= 0 && range.high <= 255) return {0, 1, "from 0 to 255, taken as they are"};
  fail(Fault::bad_file,
       "{}: its images are floats from {:.6g} to {:.6g}; they must be from 0 to 1, -1 to 1 or 0 to 255", path,
       range.low, range.high);
}

void fill(Dataset& d, const Array& a, const Array& l, const PictureOptions& options, const Scale& scale) {
  bool first = false;
  const std::vector<int64_t> s = image_shape(a, options, first);
  d.image = {s[1], s[2], s[3]};
  const int64_t n = s[0], area = s[1] * s[2], channels = s[3];
  if (l.header.kind == 'f' || l.header.shape.empty() || l.header.shape.size() > 2 ||
      (l.header.shape.size() == 2 && l.header.shape[1] != 1))
    fail(Fault::bad_file, "{}: labels must be integers of the shape (N) or (N, 1), it is {} of {}", l.name,
         l.floats() ? "floats" : "integers", text_of(l.header.shape));
  if (l.header.shape[0] != n)
    fail(Fault::bad_file, "{}: {} labels for the {} images of {}", l.name, l.header.shape[0], n, a.name);
  if (!a.floats() && (a.header.kind != 'u' || a.header.bytes != 1))
    fail(Fault::bad_file, "{}: images must be uint8, float32 or float64, they are {}int{}", a.name,
         a.header.kind == 'u' ? "u" : "", 8 * a.header.bytes);
  d.pixels.resize(a.header.count());
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t p = 0; p < area; ++p) {
      for (int64_t c = 0; c < channels; ++c) {
        const auto to = static_cast<uint64_t>((i * area + p) * channels + c),
                   from = first ? static_cast<uint64_t>((i * channels + c) * area + p) : to;
        d.pixels[to] = a.floats() ? static_cast<uint8_t>(std::lround((a.real_at(from) + scale.add) * scale.factor))
                                  : static_cast<uint8_t>(a.bytes[from]);
      }
    }
    const int64_t label = l.integer_at(static_cast<uint64_t>(i));
    if (label < 0 || label > 65535)
      fail(Fault::bad_file, "{}: label {} is {}; labels must be from 0 to 65535", l.name, i, label);
    d.labels.push_back(static_cast<int32_t>(label));
  }
}

// Returns the files.
std::vector<std::string> read_arrays(const std::string& path, Pair (&pairs)[3]) {
  if (fs::is_directory(path)) {
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(path)) files.push_back(entry.path());
    std::sort(files.begin(), files.end());
    std::vector<std::string> taken;
    for (const fs::path& file : files) {
      const auto place = place_of(file.filename().string());
      if (!place) continue;
      const InputFile input = open_input(file.string());
      const std::string name = on_one_line(file.string());
      ByteReader reader(name, Stored(input), Packing::none);
      keep(pairs, *place, read_array(name, reader, input.size));
      taken.push_back(file.string());
    }
    return taken;
  }
  const std::string bytes = read_file(path);
  for (const ZipMember& member : zip_members(path, bytes)) {
    const auto place = place_of(member.name);
    if (!place) continue;
    const std::string name = path + ": " + on_one_line(member.name);
    ByteReader reader = open_member(path, bytes, member);
    keep(pairs, *place, read_array(name, reader, member.size));
  }
  return {path};
}

}  // namespace

bool is_npy_set(const std::string& path) {
  if (path.ends_with(".npz")) return fs::is_regular_file(path);
  if (!fs::is_directory(path)) return false;
  bool found[2] = {};
  for (const auto& entry : fs::directory_iterator(path)) {
    if (const auto place = place_of(entry.path().filename().string())) found[place->role] = true;
  }
  return found[images] && found[labels];
}

DataSplit read_npy_set(const std::string& path, const PictureOptions& options, const LoadReport& report) {
  Pair pairs[3];
  std::vector<std::string> files = read_arrays(path, pairs);
  const char* const parts[] = {"training", "test", "validation"};
  for (size_t part = 0; part < 3; ++part) {
    if (pairs[part].images.has_value() != pairs[part].labels.has_value())
      fail(Fault::bad_file, "{}: has {} {} but none of the {}", path, parts[part],
           pairs[part].images ? "images" : "labels", pairs[part].images ? "labels" : "images");
  }
  if (pairs[test].images && pairs[validation].images)
    note_unread(report, path, pairs[validation].images->name, pairs[test].images->name);
  Pair& tested = pairs[test].images ? pairs[test] : pairs[validation];
  if (!pairs[train].images && !tested.images)
    fail(Fault::bad_file,
         "{}: has no pair of images and labels; names must be like x_train and y_train, or images and labels", path);

  Range range;
  bool floats = false;
  for (const Pair* p : {&pairs[train], &tested}) {
    if (!p->images || !p->images->floats()) continue;
    floats = true;
    include(*p->images, range);
  }
  const Scale scale = floats ? scale_of(range, path) : Scale();
  if (floats) report.note(fmt::format("{}: its images are floats {}, and rounded to 8 bits", path, scale.words));

  DataSplit split{.train = {}, .test = {}, .folder = path, .inputs = std::move(files)};
  for (auto [part, pair] : {std::pair(&split.train, &pairs[train]), std::pair(&split.test, &tested)}) {
    part->name = path;
    if (pair->images) fill(*part, *pair->images, *pair->labels, options, scale);
    *pair = {};  // its memory
  }
  if (split.train.labels.empty()) split.train.image = split.test.image;
  if (split.test.labels.empty()) split.test.image = split.train.image;
  if (split.train.image != split.test.image)
    fail(Fault::bad_file, "{}: training images are {}, test images {}", path, split.train.image, split.test.image);
  return split;
}

}  // namespace evenkeel
