// Laws of a whole training run: the same bits for any number of threads, no new memory and no more nodes from step to
// step.
#include <doctest/doctest.h>

#include "core/base/memory.h"
#include "core/base/parallel.h"
#include "layers/model/checkpoint.h"
#include "layers/model/spec.h"
#include "optim/sgd.h"

using namespace evenkeel;

namespace {

struct Training {
  explicit Training(const std::string& model, const std::string& norm = "batch")
      : network(make_model({.model = model, .norm = norm, .input = {16, 16, 3}, .classes = 4, .seed = 3})),
        at(values(parameters(*network))),
        sgd(parameters(*network), {.lr = real(0.05), .momentum = real(0.9), .weight_decay = real(5e-4)}) {
    Random random(8);
    x = Tensor::normal({24, 16, 16, 3}, random);
    for (int i = 0; i < 24; ++i) labels.push_back(static_cast<int32_t>(random.below(4)));
  }
  double step() {
    Tensor loss = cross_entropy(network->forward(x, Mode::train), labels);
    const double value = loss.item();
    sgd.step(grad(std::move(loss), at));
    return value;
  }
  std::unique_ptr<Sequential> network;
  std::vector<Tensor> at;
  Sgd sgd;
  Tensor x;
  Labels labels;
};

constexpr const char* model =
    "conv:16:3 norm act conv:20:3 norm act maxpool:2 residual(conv:32:3:stride=2 norm act conv:32:5 norm) act "
    "dropout:0.1 flatten dense:40 norm "
    "act dense:classes";

}  // namespace

TEST_CASE("a training run gives the same bits for 1, 2, 3 and 8 threads") {
  const int before = threads();
  std::string first;
  for (int n : {1, 2, 3, 8}) {
    set_threads(n);
    Training run(model);
    for (int i = 0; i < 3; ++i) run.step();
    const std::string state = format_safetensors(capture(*run.network));
    if (first.empty()) first = state;
    CHECK(state == first);
  }
  set_threads(before);
}

TEST_CASE("the loss falls, with every norm") {
  for (const char* norm : {"none", "batch", "layer"}) {
    Training run("conv:8:3 norm act maxpool:2 flatten dense:32 norm act dense:classes", norm);
    const double first = run.step();
    double last = first;
    for (int i = 0; i < 30; ++i) last = run.step();
    CHECK(last < first / 3);
  }
}

TEST_CASE("in the steady state a step takes no storage from the system and leaves no node behind") {
  Training run(model);
  for (int i = 0; i < 3; ++i) run.step();
  const int64_t storage = memory_stats().system_allocations, nodes = live_nodes(), live = memory_stats().live_bytes;
  for (int i = 0; i < 10; ++i) run.step();
  CHECK(memory_stats().system_allocations == storage);
  CHECK(memory_stats().live_bytes == live);
  CHECK(live_nodes() == nodes);
}

TEST_CASE("activations are freed as backward goes: a moved loss needs less memory at its peak than one that is kept") {
  Training run("8*(conv:16:3 norm act) flatten dense:classes");
  auto peak = [&](bool move) {
    Tensor loss = cross_entropy(run.network->forward(run.x, Mode::train), run.labels);
    const int64_t before = memory_stats().live_bytes;
    Grads g = move ? grad(std::move(loss), run.at) : grad(loss, run.at);
    return memory_stats().live_bytes - before;  // what is left: the gradients, and without the move everything else
  };
  CHECK(peak(true) < 0);
  CHECK(peak(false) > 0);
}
