// Networks written as text: layers in order with their arguments.
//
//   spec   := item (" " item)*
//   item   := [count "*"] (layer | "(" spec ")")
//   layer  := name (":" argument)* ["(" spec ")"]          argument := value | key "=" value
//
//   "conv:32:5 norm act maxpool:2 flatten dense:512 act dense:classes"
//   "3*(residual(conv:16:3 norm relu conv:16:3 norm) relu)"
//
// `norm` and `act` stand for what the options say; `classes` for the number of classes. Named models are such texts.
#pragma once
#include <functional>
#include <map>

#include "../../core/base/options.h"
#include "../init.h"
#include "../sequential.h"

namespace evenkeel {

// What a model may ask for, all layers together: a text of a few words can ask for more than any machine has.
struct ModelLimits {
  int64_t layers = 10'000;
  int64_t weights = int64_t{1} << 30;  // and running averages
  int64_t values = int64_t{1} << 30;   // what the layers put out for one example
};

struct ModelOptions {
  std::string model = "lenet";      // mlp, mlp:100-100-100, lenet, vgg, resnet20, or a spec
  std::string norm = "batch";       // what stands at every `norm`: none, batch, layer, or any layer with arguments
  std::string activation = "relu";  // what stands at every `act`
  std::string init = "he";          // he, glorot, gaussian:0.01
  Shape input{28, 28, 1};           // (H, W, C) of one example
  int64_t classes = 10;
  uint64_t seed = 1;  // of the initial weights and of dropout
  ModelLimits limits{};
};

// The arguments of one layer in a spec, and where it stands.
class LayerArguments : public SpecArguments {
 public:
  LayerArguments() = default;
  explicit LayerArguments(const std::string& text) : SpecArguments("model", text) {}

  // One that must be given; `classes` stands for their number. Those with a default are SpecArguments'. Each argument
  // must be asked for: one that is not is an error.
  int64_t integer(size_t position, const std::string& key, int64_t low, int64_t high);
  using SpecArguments::integer;

  // To be called before anything is allocated: Error where the model's limits do not leave so many weights, or values
  // for one example.
  void needs_weights(double count) const;
  void needs_values(double count) const;

  Shape input;  // what it gets, one example's shape
  int64_t classes = 0;
  bool bias = true;  // false where a normalisation follows that would cancel a bias
  Init init;
  Random* random = nullptr;                           // for initial weights, and dropout's streams
  std::function<std::unique_ptr<Sequential>()> body;  // builds what stands in parentheses; empty where nothing does
  Shape body_output;                                  // one example's shape after it, once it is built

 private:
  friend class SpecBuilder;
  ModelLimits left_;  // by the layers before it
};

struct LayerKind {
  std::function<LayerPtr(LayerArguments&)> make;
  std::string usage;          // "conv:FILTERS:SIZE[:stride=1][:pad=SIZE/2]"
  bool cancels_bias = false;  // a bias before it has no effect
};
using Vocabulary = std::map<std::string, LayerKind>;
// The layers a spec can name. To name one of your own: `Vocabulary v = standard_vocabulary(); v["swish"] = {...};`
Vocabulary standard_vocabulary();

std::vector<std::string> model_names();
// The text of a named model ("mlp:100-100" included), or the argument itself.
std::string model_spec(const std::string& model);
// Builds the network. Error(Fault::usage) where the text is wrong, with the place.
std::unique_ptr<Sequential> make_model(const ModelOptions& options,
                                       const Vocabulary& vocabulary = standard_vocabulary());

// One row of a model's table.
struct LayerSummary {
  std::string name, layer;  // "3", "conv:64:3"
  Shape output;             // of one example
  int64_t parameters = 0;
  double multiply_adds = 0;  // of one example, forward
};
std::vector<LayerSummary> summarize(Sequential& network, const Shape& input);

}  // namespace evenkeel
