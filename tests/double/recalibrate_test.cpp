#include "layers/recalibrate.h"

#include "layers/batch_renorm.h"
#include "layers/spec.h"
#include "tests/check_definition.h"

using namespace evenkeel;

TEST_CASE("population: the moments of all rows, whatever the batches; far from zero too") {
  const Tensor all = random({10, 2}, 1e6, 2);
  Population parts;
  int64_t at = 0;
  for (int64_t rows : {1, 6, 3}) {
    parts.add(Tensor::of({rows, 2}, {all.data() + 2 * at, all.data() + 2 * (at + rows)}));
    at += rows;
  }
  const Normalized whole = batch_norm(all, Tensor::zeros({2}), Tensor::zeros({2}));
  CHECK(parts.rows() == 10);
  CHECK(difference(parts.mean(), whole.mean) < 1e-14);
  CHECK(difference(parts.var(), whole.var) < 1e-10);
}

TEST_CASE("recalibrate: afterwards inference on the whole set is training on it as one batch") {
  for (const char* norm : {"batch:variance=biased", "renorm"}) {
    auto net = make_model({.model = "conv:3:3 norm tanh residual(conv:3:3 norm) flatten dense:4 norm tanh dense:classes", .norm = norm, .input = {5, 5, 2}, .classes = 3});
    CHECK(running_norms(*net).size() == 3);
    const Tensor x = random({8, 5, 5, 2}, 1, 2);
    recalibrate(*net, [&](const std::function<void(const Tensor&)>& see) {
      for (int64_t i = 0; i < 8; i += 4) see(Tensor::of({4, 5, 5, 2}, {x.data() + i * 50, x.data() + (i + 4) * 50}));
    });
    CHECK(difference(net->forward(x, Mode::eval).detach(), net->forward(x, Mode::probe).detach()) < 1e-12);
  }
}
