#include "layers/model/spec.h"

#include <algorithm>
#include <charconv>

namespace evenkeel {
namespace {

constexpr int max_depth = 16;  // of parentheses
constexpr int64_t max_count = 10'000;
constexpr size_t max_layer_text = 1000;

struct Item {
  std::string text;   // "conv:64:3", or "" for a group
  int64_t count = 1;  // N*(...)
  bool has_body = false;
  std::vector<Item> body;
};

// Parses the text into a tree; builds nothing yet.
class Parser {
 public:
  explicit Parser(const std::string& text) : text_(text) {}
  std::vector<Item> parse() {
    std::vector<Item> items = sequence(0);
    if (at_ != text_.size()) fail_here("an opening parenthesis is missing");
    if (items.empty()) fail_here("a model needs at least one layer");
    return items;
  }

 private:
  [[noreturn]] void fail_here(const std::string& what) const {
    fail(Fault::usage, "model: {}, at character {} of '{}'", what, at_ + 1, text_);
  }
  void skip_spaces() {
    while (at_ < text_.size() && text_[at_] == ' ') ++at_;
  }
  std::vector<Item> sequence(int depth) {
    if (depth > max_depth) fail_here(fmt::format("parentheses go at most {} deep", max_depth));
    std::vector<Item> items;
    for (skip_spaces(); at_ < text_.size() && text_[at_] != ')'; skip_spaces()) items.push_back(item(depth));
    return items;
  }
  Item item(int depth) {
    Item result;
    if (const size_t star = text_.find_first_not_of("0123456789", at_);
        star != std::string::npos && star > at_ && text_[star] == '*') {
      const auto [stop, error] = std::from_chars(text_.data() + at_, text_.data() + star, result.count);
      if (error != std::errc() || result.count < 1 || result.count > max_count)
        fail_here(fmt::format("a count must be 1 to {}", max_count));
      at_ = star + 1;
    }
    const size_t end = std::min(text_.find_first_of(" ()", at_), text_.size());
    if (end - at_ > max_layer_text) fail_here(fmt::format("a layer has at most {} characters", max_layer_text));
    result.text = text_.substr(at_, end - at_);
    at_ = end;
    if (at_ < text_.size() && text_[at_] == '(') {
      ++at_;
      result.body = sequence(depth + 1);
      result.has_body = true;
      if (at_ == text_.size()) fail_here("a closing parenthesis is missing");
      ++at_;
    }
    if (result.text.empty() && !result.has_body) fail_here("a layer's name is missing");
    return result;
  }

  const std::string& text_;
  size_t at_ = 0;
};

}  // namespace

int64_t LayerArguments::integer(size_t position, const std::string& key, int64_t low, int64_t high) {
  std::string value = text(position, key);
  check(!value.empty(), "model: {} needs its {}", name, key);
  if (value == "classes") value = std::to_string(classes);
  return parsed<int64_t>(key, value, {static_cast<double>(low), static_cast<double>(high)});
}

void LayerArguments::needs_weights(double count) const {
  check(count <= static_cast<double>(left_.weights),
        "model: {} on {} would have {:.0f} weights: the layers before it leave {} of what a model may have", name,
        input, count, left_.weights);
}

void LayerArguments::needs_values(double count) const {
  check(count <= static_cast<double>(left_.values),
        "model: {} on {} would give {:.0f} values an example: the layers before it leave {} of what a model may give",
        name, input, count, left_.values);
}

class SpecBuilder {
 public:
  SpecBuilder(const ModelOptions& options, const Vocabulary& vocabulary)
      : options_(options),
        vocabulary_(vocabulary),
        init_(parse_init(options.init)),
        random_(options.seed),
        left_(options.limits) {}

  std::unique_ptr<Sequential> build() {
    check(options_.input.rank() == 3 && options_.input.size() > 0 && options_.input.size() <= left_.values,
          "model: the input must be (H, W, C), at most {} values, got {}", left_.values, options_.input);
    check(options_.classes >= 1 && options_.classes <= 1'000'000, "model: classes must be 1 to 1000000, got {}",
          options_.classes);
    Shape shape = options_.input;
    const std::string text = model_spec(options_.model);
    auto network = build(Parser(text).parse(), shape);
    check(shape == Shape{options_.classes},
          "model: its output must be one value a class, {}, got {}; end it with dense:classes", Shape{options_.classes},
          shape);
    return network;
  }

 private:
  // Builds a sequence of items for one example of `shape`, and sets `shape` to that of the output.
  std::unique_ptr<Sequential> build(const std::vector<Item>& items, Shape& shape) {
    // The parser limits a text's depth, but `norm` may stand for a spec that contains `norm`.
    check(++depth_ <= max_depth + 1, "model: layers are nested more than {} deep; does norm or act contain itself?",
          max_depth);
    std::vector<const Item*> flat;
    expand(items, flat);
    auto sequence = std::make_unique<Sequential>();
    for (size_t i = 0; i < flat.size(); ++i) {
      const bool bias = i + 1 == flat.size() || !kind_of(*flat[i + 1]).cancels_bias;
      LayerPtr layer = make(*flat[i], shape, bias);
      shape = output_of(*layer, shape, *flat[i]);
      sequence->add(std::move(layer));
    }
    --depth_;
    return sequence;
  }

  // Expands counts and groups, and replaces `norm` and `act` by the layers that they stand for. Counts every iteration,
  // also one that adds no layer: nested counts of an empty group would never end.
  void expand(const std::vector<Item>& items, std::vector<const Item*>& flat) {
    for (const Item& item : items) {
      for (int64_t i = 0; i < item.count; ++i) {
        if (item.text == "norm" || item.text == "act") {
          std::vector<Item>& one = item.text == "norm" ? norm_ : activation_;
          const std::string& text = item.text == "norm" ? options_.norm : options_.activation;
          if (one.empty() && text != "none") {
            one = Parser(text).parse();
            check(one.size() == 1 && one[0].text != "norm" && one[0].text != "act",
                  "model: {} must be one layer, got '{}'", item.text, text);
          }
          if (text != "none") flat.push_back(one.data());
        } else if (item.text.empty()) {
          expand(item.body, flat);
        } else {
          flat.push_back(&item);
        }
        check(static_cast<int64_t>(flat.size()) <= options_.limits.layers && ++expanded_ <= options_.limits.layers * 4,
              "model: must have at most {} layers, got more; lower the counts before *", options_.limits.layers);
      }
    }
  }

  const LayerKind& kind_of(const Item& item) const {
    const std::string name = item.text.substr(0, item.text.find(':'));
    const auto found = vocabulary_.find(name);
    if (found != vocabulary_.end()) return found->second;
    std::string known;
    for (const auto& [n, kind] : vocabulary_) known.append(known.empty() ? "" : ", ").append(n);
    fail(Fault::usage, "model: no layer is called '{}'; there are {}, and norm and act", name, known);
  }

  LayerPtr make(const Item& item, const Shape& shape, bool bias) {
    const LayerKind& kind = kind_of(item);
    LayerArguments arguments(item.text);
    arguments.input = shape;
    arguments.left_ = left_;
    arguments.classes = options_.classes;
    arguments.bias = bias;
    arguments.init = init_;
    arguments.random = &random_;
    bool body_used = false;
    if (item.has_body)
      arguments.body = [&] {
        body_used = true;
        Shape inside = shape;
        auto body = build(item.body, inside);
        arguments.body_output = inside;
        return body;
      };
    LayerPtr layer = kind.make ? kind.make(arguments) : nullptr;
    check(layer != nullptr, "model: the function of '{}' made no layer; it must return one", arguments.name);
    arguments.check_used(kind.usage);
    check(body_used == item.has_body, "model: '{}' takes no layers in parentheses; it is written {}", item.text,
          kind.usage);
    int64_t kept = 0;
    for (const Named& n : named(*layer)) kept += n.tensor.defined() ? n.tensor.size() : 0;
    arguments.needs_weights(static_cast<double>(kept));
    left_.weights = arguments.left_.weights - kept;  // includes the layers in parentheses
    return layer;
  }

  Shape output_of(Layer& layer, const Shape& shape, const Item& item) {
    const Shape out = layer.output_shape(shape);
    check(out.size() > 0 && out.size() <= left_.values,
          "model: '{}' gives {}: all layers together may give at most {} values an example", item.text, out,
          options_.limits.values);
    left_.values -= out.size();
    return out;
  }

  const ModelOptions& options_;
  const Vocabulary& vocabulary_;
  Init init_;
  Random random_;
  std::vector<Item> norm_, activation_;  // their parsed texts, once needed
  ModelLimits left_;
  int64_t expanded_ = 0;
  int depth_ = 0;
};

namespace {

const std::pair<const char*, const char*> named_models[] = {
    {"lenet", "conv:32:5 norm act maxpool:2 conv:64:5 norm act maxpool:2 flatten dense:512 act dense:classes"},
    {"vgg",
     "2*(conv:64:3 norm act) maxpool:2 2*(conv:128:3 norm act) maxpool:2 2*(conv:256:3 norm act) maxpool:2 "
     "global_avgpool dense:classes"},
    {"resnet20",  // He et al. 2015, section 4.2
     "conv:16:3 norm act 3*(residual(conv:16:3 norm act conv:16:3 norm) act)"
     " residual(conv:32:3:stride=2 norm act conv:32:3 norm) act 2*(residual(conv:32:3 norm act conv:32:3 norm) act)"
     " residual(conv:64:3:stride=2 norm act conv:64:3 norm) act 2*(residual(conv:64:3 norm act conv:64:3 norm) act)"
     " global_avgpool dense:classes"},
};

}  // namespace

std::vector<std::string> model_names() {
  std::vector<std::string> names{"mlp"};
  for (const auto& [name, spec] : named_models) names.push_back(name);
  return names;
}

std::string model_spec(const std::string& model) {
  for (const auto& [name, spec] : named_models)
    if (model == name) return spec;
  if (model != "mlp" && !model.starts_with("mlp:")) return model;
  std::string spec = "flatten";
  for (const std::string& width : split(model == "mlp" ? "512-512" : model.substr(4), '-')) {
    check(!width.empty() && width.size() < 10 && width.find_first_not_of("0123456789") == std::string::npos,
          "model: mlp is written mlp or mlp:WIDTH-WIDTH..., got '{}'", model);
    spec += " dense:" + width + " norm act";
  }
  return spec + " dense:classes";
}

std::unique_ptr<Sequential> make_model(const ModelOptions& options, const Vocabulary& vocabulary) {
  return SpecBuilder(options, vocabulary).build();
}

std::vector<LayerSummary> summarize(Sequential& network, const Shape& input) {
  std::vector<LayerSummary> rows;
  Shape shape = input;
  for (size_t i = 0; i < network.size(); ++i) {
    Layer& layer = network[i];
    const double work = layer.multiply_adds(shape);
    shape = layer.output_shape(shape);
    rows.push_back({std::to_string(i), layer.describe(), shape, parameter_count(layer), work});
  }
  return rows;
}

}  // namespace evenkeel
