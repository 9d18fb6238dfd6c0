#include "apps/formats/network_file.h"

#include <charconv>
#include <cmath>

#include "apps/cli/model_options.h"
#include "apps/cli/text.h"

namespace evenkeel {
namespace {

template <class Number>
std::vector<Number> parse_numbers(const std::string& text, const std::string& what) {
  std::vector<Number> values;
  const char *at = text.data(), *end = at + text.size();
  for (bool more = true; more;) {
    const auto [rest, error] = std::from_chars(at, end, values.emplace_back());
    check(error == std::errc() && (rest == end || *rest == ','), "its {} is not a list of numbers: \"{}\"", what, text);
    more = rest != end;
    at = rest + 1;
  }
  return values;
}

}  // namespace

const std::string& metadata(const SafeTensors& stored, const std::string& key, const std::string& path) {
  const auto found = stored.metadata.find(key);
  if (found == stored.metadata.end())
    fail(Fault::bad_file, "{}: its metadata lack \"{}\", which evenkeel train writes; for a file of another program's say what network it is for "
         "(evenkeel eval --model ... --norm ... --data ...)", path, key);
  return found->second;
}

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
  return packed;
}

NetworkFile open_network(const std::string& path, const Vocabulary& vocabulary) {
  const SafeTensors stored = read_safetensors(path);
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
    m.classes = parse_numbers<int64_t>(text("classes"), "classes")[0];
    m.seed = parse_numbers<uint64_t>(text("seed"), "seed")[0];
    file.info.normalization = {parse_numbers<float>(text("mean"), "mean"), parse_numbers<float>(text("deviation"), "deviation")};
    const size_t channels = static_cast<size_t>(m.input.channels());
    check(file.info.normalization.mean.size() == channels && file.info.normalization.deviation.size() == channels,
          "mean and deviation must be one number a channel");
    for (float d : file.info.normalization.deviation) check(d > 0 && std::isfinite(d), "deviation must be positive, got {}", d);
    file.network = make_model(m, vocabulary);
    restore(*file.network, stored, Part::weights);
  } catch (const Error& error) {  // what would be a wrong option is here a wrong file
    fail(Fault::bad_file, "{}: {}", path, error.what());
  }
  return file;
}

void load_weights(const std::string& path, Sequential& network) {
  const SafeTensors stored = read_safetensors(path);
  try {
    restore(network, stored, Part::weights);
  } catch (const Error& error) {
    fail(Fault::bad_file, "{}: {}", path, error.what());
  }
}

NetworkFile open_weights(const std::string& path, const NetworkInfo& info, const Vocabulary& vocabulary) {
  NetworkFile file{.info = info, .network = make_named_model(info.model, vocabulary)};
  load_weights(path, *file.network);
  return file;
}

}  // namespace evenkeel
