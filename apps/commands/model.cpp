// evenkeel model: a network's table, and the known models and layers.
#include <fmt/core.h>

#include "apps/cli/command.h"
#include "apps/cli/console.h"
#include "apps/cli/model_options.h"

namespace evenkeel {
namespace {

int list(const Registry& registry) {
  say("models\n");
  for (const std::string& name : model_names()) say("  {:<10}{}\n", name, model_spec(name));
  say("\nlayers\n");
  for (const auto& [name, kind] : registry.layers) say("  {}\n", kind.usage);
  return 0;
}

}  // namespace

Action model_command(CLI::App& app, const Registry& registry) {
  struct Options {
    ModelOptions model;
    std::string input = "28x28x1";
    int64_t batch_size = 64;
    bool list = false;
  };
  const auto o = std::make_shared<Options>();
  add_network_options(app, o->model);
  add_text(app, "--init", o->model.init, "INIT", fmt::format("initial weights: {}", init_forms))->group("Network");
  add_text(app, "--input", o->input, "HxWxC", "height, width and channels of an image")->group("Network");
  add_integer(app, "--classes", o->model.classes, 1, 1'000'000, "number of classes")->group("Network");
  add_integer(app, "--batch-size", o->batch_size, 1, 1 << 20, "images in a batch, for the memory")->group("Network");
  add_flag(app, "--list", o->list, "list the named models and every layer with its arguments, instead")
      ->group("Network");
  app.footer(
      "MFLOP: the forward pass of one image, a multiply-add counts as two; training needs about three times as "
      "many.\n"
      "Memory: the layers' outputs for a batch; training keeps all of them, except those of a ReLU that is fused "
      "into the layer before it, and those of a convolution into which a max pooling is fused.");
  return [o, &registry] {
    if (o->list) return list(registry);
    o->model.input = parse_shape(o->input);
    const std::unique_ptr<Sequential> network = make_named_model(o->model, registry.layers);
    const std::vector<LayerSummary> rows = summarize(*network, o->model.input);

    size_t name_width = 4, layer_width = 5;
    for (const LayerSummary& r : rows) {
      name_width = std::max(name_width, r.name.size());
      layer_width = std::max(layer_width, std::min<size_t>(r.layer.size(), 60));
    }
    const auto print = [&](const std::string& name, const std::string& layer, const std::string& output,
                           const std::string& parameters, const std::string& mflop, const std::string& memory) {
      say("{:<{}}  {:<{}}  {:>16}  {:>12}  {:>10}  {:>12}\n", name, name_width, layer, layer_width, output, parameters,
          mflop, memory);
    };
    const auto mebibytes = [&](double values) { return fmt::format("{:.2f} MiB", values * sizeof(real) / (1 << 20)); };
    print("name", "layer", "output", "parameters", "MFLOP", "memory");
    double parameters = 0, mflop = 0, values = 0;
    for (const LayerSummary& r : rows) {
      const double work = 2e-6 * r.multiply_adds, outputs = static_cast<double>(r.output.size() * o->batch_size);
      print(r.name, r.layer, r.output.str(), thousands(static_cast<double>(r.parameters)), fmt::format("{:.3f}", work),
            mebibytes(outputs));
      parameters += static_cast<double>(r.parameters);
      mflop += work;
      values += outputs;
    }
    print("", "total", "", thousands(parameters), fmt::format("{:.3f}", mflop), mebibytes(values));
    say("\ninput {}, {} classes; memory for a batch of {}; the parameters take another {}\n", o->model.input,
        o->model.classes, o->batch_size, mebibytes(parameters));
    return 0;
  };
}

}  // namespace evenkeel
