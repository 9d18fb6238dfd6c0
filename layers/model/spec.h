// Networks written as text: layers in order with their arguments.
//
//   spec   := item (" " item)*
//   item   := [count "*"] (layer | "(" spec ")")
//   layer  := name (":" argument)* ["(" spec ")"]          argument := value | key "=" value
//
//   "conv:32:5 norm act maxpool:2 flatten dense:512 act dense:classes"
//   "3*(residual(conv:16:3 norm relu conv:16:3 norm) relu)"
//
// ModelOptions say what `norm` and `act` stand for; `classes` is the number of classes. Named models are such texts.
#pragma once
#include <functional>
#include <map>

#include "../../core/base/options.h"
#include "../init.h"
#include "../sequential.h"

namespace evenkeel {

// Limits for a whole model: a short text can ask for more memory than any machine has.
struct ModelLimits {
  int64_t layers = 10'000;
  int64_t weights = int64_t{1} << 30;  // and running averages
  int64_t values = int64_t{1} << 30;   // outputs of all layers for one example
};

struct ModelOptions {
  std::string model = "lenet";      // mlp, mlp:100-100-100, lenet, vgg, resnet20, or a spec
  std::string norm = "batch";       // the layer at every `norm`: none, batch, layer, or any layer with arguments
  std::string activation = "relu";  // the layer at every `act`
  std::string init = "he";          // one of init_forms
  Shape input{28, 28, 1};           // (H, W, C) of one example
  int64_t classes = 10;
  uint64_t seed = 1;  // of the initial weights and of dropout
  ModelLimits limits{};
};

// The arguments of one layer in a spec, and its surroundings.
class LayerArguments : public SpecArguments {
 public:
  LayerArguments() = default;
  explicit LayerArguments(const std::string& text) : SpecArguments("model", text) {}

  // A required argument; `classes` stands for the number of classes. SpecArguments has those with a default. An
  // argument that `make` does not read is an error.
  int64_t integer(size_t position, const std::string& key, int64_t low, int64_t high);
  using SpecArguments::integer;

  // Call these before allocating. Error if the model's limits leave fewer weights, or fewer values for one example.
  void needs_weights(double count) const;
  void needs_values(double count) const;

  Shape input;  // shape of one example at the layer's input
  int64_t classes = 0;
  bool bias = true;  // false where a normalisation follows that would cancel a bias
  Init init;
  Random* random = nullptr;                           // for initial weights and dropout
  std::function<std::unique_ptr<Sequential>()> body;  // builds the spec in parentheses; empty if there is none
  Shape body_output;                                  // shape of one example at its output, once it is built

 private:
  friend class SpecBuilder;
  ModelLimits left_;  // after the layers before it
};

struct LayerKind {
  std::function<LayerPtr(LayerArguments&)> make;
  std::string usage;          // "conv:FILTERS:SIZE[:stride=1][:pad=SIZE/2]"
  bool cancels_bias = false;  // a bias before it has no effect, so that layer is built without
};
using Vocabulary = std::map<std::string, LayerKind>;
// The layers that a spec can name. To add one: `Vocabulary v = standard_vocabulary(); v["swish"] = {...};`
Vocabulary standard_vocabulary();

std::vector<std::string> model_names();
// The spec of a named model (also "mlp:100-100"); any other argument is returned unchanged.
std::string model_spec(const std::string& model);
// Builds the network. Error(Fault::usage), with the place, if the text is wrong.
std::unique_ptr<Sequential> make_model(const ModelOptions& options,
                                       const Vocabulary& vocabulary = standard_vocabulary());

// One row of a model's summary.
struct LayerSummary {
  std::string name, layer;  // "3", "conv:64:3"
  Shape output;             // of one example
  int64_t parameters = 0;
  double multiply_adds = 0;  // of one example, forward
};
// A row for each layer (a residual is one), for one example of shape `input`, (H, W, C). Error if it does not fit.
std::vector<LayerSummary> summarize(Sequential& network, const Shape& input);

}  // namespace evenkeel
