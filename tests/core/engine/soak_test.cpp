// A thousand tiny epochs, each beginning with a new network restored from the checkpoint of the last: nothing grows.
#include <doctest/doctest.h>
#include <unistd.h>

#include <cmath>
#include <fstream>

#include "data/loader.h"
#include "layers/model/checkpoint.h"
#include "layers/model/spec.h"
#include "optim/sgd.h"

using namespace evenkeel;

namespace {

int64_t resident_bytes() {
  int64_t all = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> all >> resident;
  return resident * sysconf(_SC_PAGESIZE);
}

}  // namespace

TEST_CASE("1,000 epochs with resumes: less than 1 MB more resident memory, no node more") {
  Dataset data{.name = "tiny", .image = {6, 6, 1}, .classes = 3};
  Random random(4);
  for (int i = 0; i < 12; ++i) {
    data.labels.push_back(i % 3);
    for (int p = 0; p < 36; ++p) data.pixels.push_back(static_cast<uint8_t>(random.below(256)));
  }
  const Normalization normalization = measure(data);
  const ModelOptions options{
      .model = "conv:4:3 norm act dropout:0.1 flatten dense:classes", .input = {6, 6, 1}, .classes = 3};
  std::string checkpoint = format_safetensors(capture(*make_model(options)));
  double loss = 0;
  int64_t memory = 0, nodes = 0;
  for (int64_t epoch = 1; epoch <= 1100; ++epoch) {
    {
      const auto network = make_model(options);
      restore(*network, parse_safetensors(checkpoint, "last"));
      Sgd sgd(parameters(*network), {.lr = real(0.02), .momentum = real(0.9)});
      const std::vector<Tensor> at = values(parameters(*network));
      Loader loader(data, normalization, {.batch_size = 4, .augment = true});
      loader.begin_epoch(epoch);
      for (Batch batch; loader.next(batch);) {
        Tensor value = cross_entropy(network->forward(batch.x, Mode::train), batch.labels);
        loss = value.item();
        sgd.step(grad(std::move(value), at));
      }
      checkpoint = format_safetensors(capture(*network));
    }
    if (epoch == 100) memory = resident_bytes(), nodes = live_nodes();  // by then everything has been allocated once
  }
  CHECK(std::isfinite(loss));
  CHECK(load(*parse_safetensors(checkpoint, "last").find("1.num_batches_tracked")).item() == 3300);
  CHECK(live_nodes() == nodes);
  const int64_t grown = resident_bytes() - memory;
  MESSAGE("resident memory grew by ", grown, " bytes");
  CHECK(grown < 1'000'000);
}
