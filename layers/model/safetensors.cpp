#include "layers/model/safetensors.h"

#include <zlib.h>

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>
#include <set>

#include "core/base/check.h"
#include "core/io/file.h"
#include "core/io/foreign.h"
#include "core/io/json_check.h"

namespace evenkeel {
namespace {

using Json = nlohmann::ordered_json;
constexpr uint64_t max_header = 16 << 20;
// Two keys, because a flipped bit in one key's name would hide the checksum: if one key is there, both must be.
constexpr const char* format_key = "evenkeel.format";
constexpr const char* checksum_key = "evenkeel.crc32";
constexpr const char* metadata_key = "__metadata__";

uint32_t crc(std::string_view bytes, uint32_t before = 0) {
  return static_cast<uint32_t>(crc32_z(before, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

size_t dtype_size(const std::string& dtype) {
  static const std::map<std::string, size_t> sizes = {{"F64", 8}, {"I64", 8}, {"U64", 8},  {"F32", 4}, {"I32", 4},
                                                      {"U32", 4}, {"F16", 2}, {"BF16", 2}, {"I16", 2}, {"U16", 2},
                                                      {"I8", 1},  {"U8", 1},  {"BOOL", 1}};
  const auto found = sizes.find(dtype);
  return found == sizes.end() ? 0 : found->second;
}

// The checksum covers the header's text, with zeros in place of the checksum, and then the data. Written name by name:
// an ordered JSON object would compare every new name with all earlier ones.
std::string header_text(const SafeTensors& contents, const std::string& checksum) {
  std::string text;
  const auto add = [&](const std::string& name, const Json& value) {
    if (!text.ends_with('{')) text += ',';
    text += Json(name).dump() + ':' + value.dump();
  };
  try {
    text = '{' + Json(metadata_key).dump() + ":{";
    for (const auto& [key, value] : contents.metadata) add(key, value);
    add(format_key, "1");
    add(checksum_key, checksum);
    text += '}';
    uint64_t offset = 0;
    for (const StoredTensor& t : contents.tensors) {
      const uint64_t end = offset + t.bytes.size();
      add(t.name, {{"dtype", t.dtype}, {"shape", t.shape}, {"data_offsets", {offset, end}}});
      offset = end;
    }
  } catch (const Json::exception& error) {
    fail(Fault::usage, "safetensors: names and metadata must be text in UTF-8, and one is not UTF-8: {}", error.what());
  }
  text += '}';
  text.resize((text.size() + 7) / 8 * 8, ' ');  // the data begin at a multiple of 8
  return text;
}

// Called for every condition of the format, with the message for a violation.
using Need = std::function<void(bool holds, const std::string& what)>;

struct Header {
  SafeTensors contents;         // without bytes, the tensors in the order of their data, which fill the file
  std::vector<uint64_t> sizes;  // of the data, one for each tensor
};

// Parses and checks a header for `size` bytes of data. Writing calls it too, so that every file we write can be read.
Header parse_header(const std::string& header, uint64_t data_size, const Need& need) {
  need(header.size() <= max_header,
       fmt::format("its header would have {} bytes; at most {} are read", header.size(), max_header));
  need(!header.empty() && header[0] == '{', "its header does not begin with '{'");

  try {
    check_json(header, "its header");
  } catch (const Error& error) {
    need(false, error.what());
  }
  const auto json = nlohmann::json::parse(header);  // sorted by name: O(log n) look-up

  Header result;
  SafeTensors& contents = result.contents;
  struct Range {
    uint64_t begin, end;
    StoredTensor tensor;
  };
  std::vector<Range> ranges;
  for (const auto& [key, value] : json.items()) {
    if (key == metadata_key) {
      need(value.is_object(), "its metadata is not an object");
      for (const auto& [k, v] : value.items()) {
        need(v.is_string(), "a value of its metadata is not a string");
        contents.metadata[k] = v.get<std::string>();
      }
      continue;
    }
    auto is_size = [](const nlohmann::json& j) {
      return j.is_number_unsigned() && j.get<uint64_t>() <= uint64_t{1} << 48;
    };
    need(value.is_object() && value.size() == 3 && value.contains("dtype") && value.contains("shape") &&
             value.contains("data_offsets"),
         fmt::format("tensor '{}' needs dtype, shape and data_offsets, and nothing else", key));
    need(value["dtype"].is_string() && dtype_size(value["dtype"]) > 0,
         fmt::format("tensor '{}' has an unknown dtype", key));
    const nlohmann::json &shape = value["shape"], &offsets = value["data_offsets"];
    need(shape.is_array() && shape.size() <= 16 && std::all_of(shape.begin(), shape.end(), is_size),
         fmt::format("tensor '{}' has a bad shape", key));
    need(offsets.is_array() && offsets.size() == 2 && is_size(offsets[0]) && is_size(offsets[1]),
         fmt::format("tensor '{}' has bad offsets", key));
    const uint64_t begin = offsets[0], end = offsets[1];
    need(begin <= end && end <= data_size, fmt::format("tensor '{}' lies outside the file: it is a part of one", key));
    uint64_t size = dtype_size(value["dtype"]);
    for (const nlohmann::json& d : shape)
      need(!__builtin_mul_overflow(size, d.get<uint64_t>(), &size),
           fmt::format("tensor '{}' has a shape too large", key));
    need(size == end - begin, fmt::format("tensor '{}' has {} bytes, its shape needs {}", key, end - begin, size));
    ranges.push_back({begin, end, {key, value["dtype"], shape.get<std::vector<int64_t>>(), {}}});
  }
  std::stable_sort(ranges.begin(), ranges.end(), [](const Range& a, const Range& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  uint64_t at = 0;
  for (Range& r : ranges) {
    need(r.begin == at, "its tensors overlap or leave a hole");
    at = r.end;
    result.sizes.push_back(r.end - r.begin);
    contents.tensors.push_back(std::move(r.tensor));
  }
  need(at == data_size, "it has bytes that belong to no tensor");
  return result;
}

std::string checksum_text(uint32_t crc) { return fmt::format("{:08x}", crc); }

}  // namespace

const StoredTensor* SafeTensors::find(const std::string& name) const {
  const auto at = std::find_if(tensors.begin(), tensors.end(), [&](const StoredTensor& t) { return t.name == name; });
  return at == tensors.end() ? nullptr : &*at;
}

std::string format_safetensors(const SafeTensors& contents) {
  std::set<std::string> names{metadata_key};
  for (const StoredTensor& t : contents.tensors)
    check(names.insert(t.name).second, "safetensors: {} '{}'; every tensor must have a name of its own",
          t.name == metadata_key ? "no tensor can be called" : "two tensors are called", t.name);
  const std::string zeroed = header_text(contents, "00000000");
  uint32_t sum = crc(zeroed);
  size_t size = 0;
  for (const StoredTensor& t : contents.tensors) sum = crc(t.bytes, sum), size += t.bytes.size();
  parse_header(zeroed, size, [](bool holds, const std::string& what) {
    check(holds, "safetensors: these contents cannot be written as a valid file: {}", what);
  });
  const std::string header = header_text(contents, checksum_text(sum));
  std::string file;
  file.reserve(8 + header.size() + size);
  for (int i = 0; i < 8; ++i) file += static_cast<char>(static_cast<uint64_t>(header.size()) >> (8 * i) & 0xff);
  file += header;
  for (const StoredTensor& t : contents.tensors) file += t.bytes;
  return file;
}

void write_safetensors(const std::string& path, const SafeTensors& contents) {
  write_file(path, format_safetensors(contents));
}

namespace {

// Reads a file of `size` bytes in order, each tensor directly into its own memory. `front`: the first bytes, to
// recognise other formats.
SafeTensors read(const std::string& name, uint64_t size, std::string_view front,
                 const std::function<void(char* out, size_t count)>& take) {
  const Need need = [&](bool holds, const std::string& what) {
    if (!holds) fail(Fault::bad_file, "{}: not a valid safetensors file: {}", name, what);
  };
  if (const ForeignFormat* format = front.size() > 8 && front[8] == '{' ? nullptr : foreign_format(front))
    fail(Fault::bad_file, "{}: it is {}, not a safetensors file; {}", name, format->what, format->remedy);
  need(size >= 8, "it is shorter than its header's length");
  char length[8];
  take(length, sizeof length);
  uint64_t header_size = 0;
  for (size_t i = 8; i-- > 0;) header_size = header_size << 8 | static_cast<unsigned char>(length[i]);
  need(header_size <= max_header,
       fmt::format("its header would have {} bytes; at most {} are read", header_size, max_header));
  need(header_size <= size - 8, "it ends inside its header: it is a part of a file");
  std::string header(header_size, '\0');
  take(header.data(), header.size());
  Header parsed = parse_header(header, size - 8 - header_size, need);
  SafeTensors contents = std::move(parsed.contents);

  const auto found = contents.metadata.find(checksum_key);
  need((found != contents.metadata.end()) == contents.metadata.contains(format_key),
       fmt::format("of {} and {} in its metadata only one is there", format_key, checksum_key));
  if (found != contents.metadata.end()) {
    // The checksum is inside the header that it covers, and counts as zeros there.
    const std::string entry = fmt::format("\"{}\":\"{}\"", checksum_key, found->second);
    const size_t place = header.find(entry);
    need(found->second.size() == 8 && place != std::string::npos, "its checksum is malformed");
    header.replace(place + entry.size() - 9, 8, "00000000");
  }
  uint32_t sum = crc(header);
  for (size_t i = 0; i < parsed.sizes.size(); ++i) {
    std::string& bytes = contents.tensors[i].bytes;
    bytes.resize(parsed.sizes[i]);
    take(bytes.data(), bytes.size());
    sum = crc(bytes, sum);
  }
  if (found != contents.metadata.end()) {
    need(checksum_text(sum) == found->second, "its checksum does not fit: it was changed after it was written");
    contents.metadata.erase(found);
    contents.metadata.erase(format_key);
  }
  return contents;
}

}  // namespace

SafeTensors parse_safetensors(const std::string& file, const std::string& name) {
  size_t at = 0;
  const std::string_view front = std::string_view(file).substr(0, foreign_bytes);
  return read(name, file.size(), front, [&](char* out, size_t count) { at += file.copy(out, count, at); });
}

SafeTensors read_safetensors(const std::string& path) {
  const InputFile input = open_input(path);
  char front[foreign_bytes];
  const size_t known = input.read(0, front, sizeof front);
  uint64_t at = 0;
  return read(path, input.size, {front, known}, [&](char* out, size_t count) {
    if (input.read(at, out, count) < count) fail(Fault::bad_file, "{}: it became shorter while it was read", path);
    at += count;
  });
}

std::unordered_map<std::string_view, const StoredTensor*> by_name(const SafeTensors& contents) {
  std::unordered_map<std::string_view, const StoredTensor*> names;
  for (const StoredTensor& t : contents.tensors) names.emplace(t.name, &t);
  return names;
}

}  // namespace evenkeel
