#include "apps/formats/network_file.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <type_traits>

#include "apps/cli/console.h"
#include "apps/cli/data_options.h"
#include "apps/cli/model_options.h"
#include "apps/cli/run_file.h"
#include "apps/cli/text.h"
#include "core/base/number.h"
#include "core/io/utf8.h"

namespace evenkeel {
namespace {

template <class Number>
std::vector<Number> parse_numbers(const std::string& text, const std::string& what) {
  std::vector<Number> values;
  const char *at = text.data(), *end = at + text.size();
  for (bool more = true; more;) {
    const auto [rest, error] = read_number(at, end, values.emplace_back());
    check(error == std::errc() && (rest == end || *rest == ','), "its {} must be a list of numbers, got \"{}\"", what,
          text);
    if constexpr (std::is_floating_point_v<Number>)
      check(std::isfinite(values.back()), "its {} must be finite numbers, got \"{}\"", what, text);
    more = rest != end;
    at = rest + 1;
  }
  return values;
}

template <class Number>
Number parse_number(const std::string& text, const std::string& what) {
  const std::vector<Number> values = parse_numbers<Number>(text, what);
  check(values.size() == 1, "its {} must be one number, got \"{}\"", what, text);
  return values[0];
}

// By label; empty if the file does not say them.
std::vector<std::string> class_names(const SafeTensors& stored) {
  const auto found = stored.metadata.find("class_names");
  if (found == stored.metadata.end()) return {};
  const auto names = nlohmann::json::parse(found->second, nullptr, false);
  const bool texts =
      names.is_array() && std::all_of(names.begin(), names.end(), [](const auto& n) { return n.is_string(); });
  return texts ? names.get<std::vector<std::string>>() : std::vector<std::string>();
}

}  // namespace

const std::string& metadata(const SafeTensors& stored, const std::string& key, const std::string& path) {
  const auto found = stored.metadata.find(key);
  if (found == stored.metadata.end())
    fail(Fault::bad_file,
         "{}: its metadata lack \"{}\", which evenkeel train writes; for another program's file give the network "
         "(evenkeel eval --model ... --norm ... --data ...)",
         path, key);
  return found->second;
}

std::string network_path(const std::string& given) {
  std::error_code error;  // opening the path reports it
  if (!std::filesystem::is_directory(given, error)) return given;
  for (const char* name : {"best.safetensors", "last.safetensors"}) {
    const std::filesystem::path file = std::filesystem::path(given) / name;
    if (!std::filesystem::exists(run_file(file), error) && !error) continue;
    note(fmt::format("{}: reading its {}", given, name));
    return file.string();
  }
  fail(Fault::missing,
       "{}: a run's folder has best.safetensors or last.safetensors, this one has neither; name a file, or the folder "
       "of a run that has saved an epoch",
       given);
}

SafeTensors read_network(const std::string& path) { return read_safetensors(run_file(path).string()); }

SafeTensors pack_network(Sequential& network, const NetworkInfo& info, Part part) {
  SafeTensors packed = capture(network, part);
  packed.metadata = {{"format", "evenkeel"},
                     {"model", model_spec(info.model.model)},
                     {"norm", info.model.norm},
                     {"activation", info.model.activation},
                     {"init", info.model.init},
                     {"input", shape_text(info.model.input)},
                     {"classes", std::to_string(info.model.classes)},
                     {"seed", std::to_string(info.model.seed)},
                     {"data", info.data},
                     {"mean", joined(info.normalization.mean, ",")},
                     {"deviation", joined(info.normalization.deviation, ",")}};
  if (!info.class_names.empty()) packed.metadata["class_names"] = nlohmann::json(info.class_names).dump();
  if (info.held_out > 0) packed.metadata["holdout"] = fmt::format("{}", info.held_out);
  if (!info.held_out_crc.empty()) packed.metadata["holdout_crc32"] = info.held_out_crc;
  if (!info.flip.empty()) packed.metadata["flip"] = info.flip;
  return packed;
}

PictureOptions picture_options(const NetworkInfo& info, bool skip_bad) {
  const Shape& image = info.model.input;
  PictureOptions o{.height = image[0],
                   .width = image[1],
                   .channels = image[2],
                   .seed = info.model.seed,
                   .skip_bad = skip_bad,
                   .classes = info.class_names};
  if (info.held_out > 0) o.holdout = info.held_out;
  return o;
}

NetworkFile open_network(const std::string& path, const Vocabulary& vocabulary) {
  const SafeTensors stored = read_network(path);
  NetworkFile file;
  const auto text = [&](const char* key) { return metadata(stored, key, path); };
  ModelOptions& m = file.info.model;
  m.model = text("model");
  m.norm = text("norm");
  m.activation = text("activation");
  m.init = text("init");
  file.info.data = text("data");
  try {
    m.input = parse_shape(text("input"));
    m.classes = parse_number<int64_t>(text("classes"), "classes");
    m.seed = parse_number<uint64_t>(text("seed"), "seed");
    file.info.normalization = {parse_numbers<float>(text("mean"), "mean"),
                               parse_numbers<float>(text("deviation"), "deviation")};
    const size_t channels = static_cast<size_t>(m.input.channels());
    check(file.info.normalization.mean.size() == channels && file.info.normalization.deviation.size() == channels,
          "its mean and deviation must be one number a channel, got {} and {} for {} channels",
          file.info.normalization.mean.size(), file.info.normalization.deviation.size(), channels);
    for (float d : file.info.normalization.deviation)
      check(std::isnormal(d) && d > 0, "its deviation must be at least 1.2e-38, got {}", d);
    file.info.class_names = class_names(stored);
    check(!stored.metadata.contains("class_names") || static_cast<int64_t>(file.info.class_names.size()) == m.classes,
          "its class_names must be a list of {} texts", m.classes);
    if (stored.metadata.contains("holdout")) {
      file.info.held_out = parse_number<double>(text("holdout"), "holdout");
      check(file.info.held_out > 0 && file.info.held_out < 1, "its holdout must be above 0 and below 1, got {}",
            file.info.held_out);
    }
    if (const auto crc = stored.metadata.find("holdout_crc32"); crc != stored.metadata.end())
      file.info.held_out_crc = crc->second;
    if (const auto flip = stored.metadata.find("flip"); flip != stored.metadata.end()) {
      file.info.flip = flip->second;
      check(file.info.flip == "on" || file.info.flip == "off", "its flip must be on or off, got \"{}\"",
            file.info.flip);
    }
    // A network that fits the file has about as many numbers as the file; larger networks are refused before they are
    // built. A number takes at most these bytes; the constant allows for values that such files may lack.
    m.limits.weights = 1 << 20;
    for (const StoredTensor& t : stored.tensors) m.limits.weights += static_cast<int64_t>(t.bytes.size());
    file.network = make_model(m, vocabulary);
    restore(*file.network, stored, Part::weights);
  } catch (const Error& error) {  // a bad option here means a bad file
    fail(Fault::bad_file, "{}: {}", path, error.what());
  }
  return file;
}

namespace {

// The rows of a tensor in another order: row i is the old row from[i].
void reorder(StoredTensor& t, const std::vector<size_t>& from) {
  const std::string old = t.bytes;
  const size_t row = old.size() / from.size();
  for (size_t i = 0; i < from.size(); ++i) t.bytes.replace(i * row, row, old, from[i] * row, row);
}

void fill(Sequential& network, const SafeTensors& stored, const std::string& path) {
  try {
    restore(network, stored, Part::weights);
  } catch (const Error& error) {
    fail(Fault::bad_file, "{}: {}", path, error.what());
  }
}

}  // namespace

std::string load_start(const std::string& given, Sequential& network, const NetworkInfo& info) {
  const std::string path = network_path(given);
  SafeTensors stored = read_network(path);
  const std::vector<StoredTensor> own = capture(network, Part::weights).tensors;
  const std::string last = own.empty() ? "" : own.back().name.substr(0, own.back().name.rfind('.') + 1);
  const std::string layer = last.substr(0, last.empty() ? 0 : last.size() - 1);
  const std::vector<std::string> theirs = class_names(stored);
  const bool renamed = theirs.size() == info.class_names.size() && theirs != info.class_names;
  std::vector<size_t> from;  // for classes that differ in their order only: the place of each in the file
  for (const std::string& name : info.class_names) {
    const auto place = std::find(theirs.begin(), theirs.end(), name);
    if (place != theirs.end()) from.push_back(static_cast<size_t>(place - theirs.begin()));
  }
  // A last layer that has only vectors, as a norm has, follows one whose rows are the classes too.
  const bool rows = std::any_of(own.begin(), own.end(), [&](const StoredTensor& t) {
    return !last.empty() && t.name.starts_with(last) && t.shape.size() > 1;
  });
  const bool reordered = renamed && rows && from.size() == theirs.size();
  std::string said;
  for (const StoredTensor& fresh : own) {
    const auto old = std::find_if(stored.tensors.begin(), stored.tensors.end(),
                                  [&](const StoredTensor& t) { return t.name == fresh.name; });
    if (last.empty() || !fresh.name.starts_with(last) || old == stored.tensors.end()) continue;
    if (old->shape.size() != fresh.shape.size() || fresh.shape.empty() ||
        !std::equal(old->shape.begin() + 1, old->shape.end(), fresh.shape.begin() + 1))
      continue;
    if (old->shape[0] != fresh.shape[0]) {
      said = fmt::format(
          "--init {}: it is for {} classes, not {}: the last layer ({}) is made new, the others are the file's", path,
          old->shape[0], fresh.shape[0], layer);
      *old = fresh;
    } else if (reordered && fresh.shape[0] == info.model.classes) {
      said = fmt::format("--init {}: it has the classes in another order: the rows of the last layer ({}) follow them",
                         path, layer);
      reorder(*old, from);
    } else if (renamed) {
      said = fmt::format(
          "--init {}: it is for other classes ({}): the last layer ({}) is made new, the others are the file's", path,
          shortened(printable(on_one_line(joined(theirs))), 60), layer);
      *old = fresh;
    }
  }
  try {
    fill(network, stored, path);
  } catch (const Error& error) {
    const auto found = stored.metadata.find("input");
    const std::string here = shape_text(info.model.input),
                      there = found == stored.metadata.end() ? here : found->second;
    const size_t last = there.rfind('x');
    check(there == here,
          "--init {}: it is for {} images, those of {} are {}; to fit images of your own: --image-size {} --color {}"
          "\n  {}",
          path, there, info.data, here, there.substr(0, last), there.substr(last + 1) == "3" ? "rgb" : "gray",
          error.what());
    throw;
  }
  return said;
}

DataSplit load_images(const NetworkFile& file, const std::string& path, const DataSets& own, const std::string& data,
                      const std::string& data_dir, bool skip_bad) {
  const auto load = [&](const std::string& name) {
    DataSplit split = load_named_dataset(own, name, data_dir, picture_options(file.info, skip_bad));
    allow_flips(file.info.flip, split);
    return split;
  };
  const std::string& name = data.empty() ? file.info.data : data;
  try {
    if (data.empty() && !is_path(name, data_dir)) check_dataset_name(name, own);
  } catch (const Error& error) {
    std::error_code ignored;
    fail(Fault::bad_file,
         "{}: it was trained on {}, and there is no file or folder of this name in {}; say by --data which images to "
         "take\n  {}",
         path, on_one_line(name), on_one_line(std::filesystem::current_path(ignored).string()), error.what());
  }
  DataSplit split = load(name);
  if (split.held_out == 0 || file.info.held_out_crc.empty() ||
      file.info.held_out_crc == fmt::format("{:08x}", checksum(split.test)))
    return split;
  std::error_code ignored;
  const bool same = name == file.info.data || std::filesystem::equivalent(name, file.info.data, ignored);
  note(fmt::format("{}: the images of {} are not those of the training: {}", path, on_one_line(name),
                   same ? "files came, went or changed, so another part is held out, and images that the network was "
                          "trained on may be among the test images"
                        : "if the two folders have pictures in common, images that the network was trained on may be "
                          "among the test images; if they have none, all can be tested on (--split all)"));
  return split;
}

NetworkFile open_weights(const std::string& path, const NetworkInfo& info, const Vocabulary& vocabulary) {
  NetworkFile file{.info = info, .network = make_named_model(info.model, vocabulary)};
  fill(*file.network, read_network(path), path);
  return file;
}

}  // namespace evenkeel
