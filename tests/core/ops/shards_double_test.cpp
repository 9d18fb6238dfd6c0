// Batch norm over shards: values, statistics and derivatives of orders 1 to 3 are those of the whole batch.
#include "core/base/shards.h"
#include "layers/dropout.h"
#include "layers/norm/batch_norm.h"
#include "layers/norm/batch_renorm.h"
#include "tests/check_definition.h"
#include "tests/check_layer.h"

using namespace evenkeel;

namespace {

Tensor rows_of(const Tensor& x, int64_t begin, int64_t end) {
  Shape s{end - begin};
  for (int axis = 1; axis < x.shape().rank(); ++axis) s.push_back(x.dim(axis));
  const int64_t each = x.size() / x.dim(0);
  return Tensor::of(s, {x.data() + begin * each, x.data() + end * each});
}

void append(std::vector<double>& to, const Tensor& t) { to.insert(to.end(), t.data(), t.data() + t.size()); }

double largest_difference(const std::vector<double>& a, const std::vector<double>& b) {
  REQUIRE(a.size() == b.size());
  double most = 0, scale = 0;
  for (size_t i = 0; i < a.size(); ++i)
    most = std::max(most, std::abs(a[i] - b[i])), scale = std::max(scale, std::abs(b[i]));
  CHECK(scale > 0);
  return most / scale;
}

// A batch, and what the loss needs of each example: all have the batch as their first axis.
struct Problem {
  Inputs by_row;  // constants, cut into shards
  Inputs at;      // what one differentiates by: at[0] is cut, the others are parameters
  std::function<Tensor(const Inputs& at, const Inputs& by_row)> loss;  // a sum over examples
  std::vector<Inputs> directions;                                      // for the next order
};

Problem problem(const Inputs& at, const Inputs& by_row, std::function<Tensor(const Inputs&, const Inputs&)> loss) {
  Problem p{by_row, at, std::move(loss), {}};
  for (int order = 0; order < 2; ++order) {
    p.directions.emplace_back();
    for (const Tensor& t : at) p.directions.back().push_back(random(t.shape()));
  }
  return p;
}

// The loss, and its derivatives of orders 1 to 3 (each along the directions of the one before): shards 0: by the whole
// batch at once. The first order also by the fused kernels.
std::vector<std::vector<double>> derivatives(const Problem& p, int64_t shards) {
  const int64_t n = p.at[0].dim(0);
  std::vector<std::vector<double>> of_examples(4), of_parameters(5);
  const auto compute = [&](int64_t begin, int64_t end) {
    const auto cut = [&](const Inputs& all, size_t first) {
      Inputs part;
      for (size_t i = 0; i < all.size(); ++i) part.push_back(i < first ? rows_of(all[i], begin, end) : all[i].clone());
      return part;
    };
    Inputs at = cut(p.at, 1);
    for (Tensor& t : at) t.track();
    std::vector<Inputs> directions;
    for (const Inputs& d : p.directions) directions.push_back(cut(d, 1));
    const auto keep = [&](size_t order, const Grads& g) {
      append(of_examples[order], g[0]);
      std::vector<double> rest;
      for (size_t i = 1; i < g.size(); ++i) append(rest, g[i]);
      of_parameters[order].resize(rest.size());
      for (size_t i = 0; i < rest.size(); ++i) of_parameters[order][i] += rest[i];
    };
    Tensor s = p.loss(at, cut(p.by_row, p.by_row.size()));
    of_parameters[4].resize(1);
    of_parameters[4][0] += s.item();
    keep(0, grad(s, at));
    for (size_t order = 1; order < 4; ++order) {
      const Grads g = grad(s, at, {.differentiable = true});
      keep(order, g);
      if (order == 3) break;
      s = dot(g[0], directions[order - 1][0]);
      for (size_t i = 1; i < g.size(); ++i) s = s + dot(g[i], directions[order - 1][i]);
    }
  };
  if (shards == 0)
    compute(0, n);
  else
    Shards(shards).run(n, [&](int64_t) { compute(this_shard()->begin, this_shard()->end); });
  std::vector<std::vector<double>> all = of_examples;
  all.insert(all.end(), of_parameters.begin(), of_parameters.end());
  return all;
}

void check_shards(const Problem& p) {
  const auto whole = derivatives(p, 0);
  for (int64_t shards : {1, 2, 3, 4, 7}) {
    CAPTURE(shards);
    const auto cut = derivatives(p, shards);
    for (size_t i = 0; i < whole.size(); ++i) {
      CAPTURE(i);
      CHECK(largest_difference(cut[i], whole[i]) < 1e-12);
    }
  }
}

}  // namespace

TEST_CASE("shards: batch norm has the derivatives of orders 1 to 3 of the whole batch") {
  for (const Shape& shape : {Shape{14, 3}, Shape{9, 2, 2, 3}}) {
    const Tensor x = random(shape, 2, 3);
    check_shards(
        problem({x, random({3}, 1, 0.2), random({3})}, {random(shape)}, [](const Inputs& at, const Inputs& rows) {
          return dot(tanh(batch_norm(at[0], at[1], at[2], real(1e-3)).y), rows[0]);
        }));
    check_shards(problem({x, random({3}, 1, 0.2), random({3})}, {random(shape), random(shape)},
                         [](const Inputs& at, const Inputs& rows) {
                           const Tensor y =
                               batch_norm(at[0], at[1], at[2], real(1e-3), {.add = rows[1], .after = After::relu}).y;
                           return dot(square(y), rows[0]);
                         }));
  }
}

TEST_CASE("shards: so have two of them, one after the other, and a batch norm over rows that count") {
  const Tensor x = random({14, 3});
  check_shards(problem({x, random({3}), random({3, 3})}, {random({14, 3})}, [](const Inputs& at, const Inputs& rows) {
    const Tensor one = Tensor::full({3}, 1), zero = Tensor::zeros({3});
    const Tensor inner = tanh(matmul(batch_norm(at[0], at[1], zero, real(1e-3)).y, at[2]));
    return dot(tanh(batch_norm(inner, one, zero, real(1e-3)).y), rows[0]);
  }));
  const Tensor mask = Tensor::of({14, 1}, {1, 0, 1, 1, 0, 0, 1, 1, 1, 1, 0, 1, 1, 1});
  check_shards(problem({x, random({3})}, {random({14, 3}), mask}, [](const Inputs& at, const Inputs& rows) {
    BatchNorm norm(3, {.eps = real(1e-3)});
    static_cast<Tensor&>(norm.gamma) = at[1];
    norm.mask = rows[1];
    return dot(tanh(norm.forward(at[0], Mode::train)), rows[0]);
  }));
}

namespace {

// What visit() names in `layer` after two batches, which were cut into shards; shards 0: not cut.
std::vector<double> state_after(const std::function<std::unique_ptr<Layer>()>& make, const Tensor& a, const Tensor& b,
                                int64_t shards, std::vector<double>* outputs = nullptr) {
  std::vector<std::unique_ptr<Layer>> layers;
  for (int64_t i = 0; i < std::max<int64_t>(shards, 1); ++i) layers.push_back(make());
  const auto pass = [&](Layer& layer, const Tensor& x) {
    const Tensor y = layer.forward(x, Mode::train);
    if (outputs) append(*outputs, y);
  };
  Shards all(std::max<int64_t>(shards, 1));
  for (const Tensor& x : {a, b}) {
    if (shards == 0)
      pass(*layers[0], x);
    else
      all.run(x.dim(0), [&](int64_t i) { pass(*layers[i], rows_of(x, this_shard()->begin, this_shard()->end)); });
  }
  std::vector<double> first;
  for (const auto& layer : layers) {
    std::vector<double> state;
    for (const Named& n : named(*layer)) {
      if (n.role == Named::Role::stream)
        state.push_back(static_cast<double>(n.stream->counter()));
      else
        append(state, n.tensor);
    }
    if (first.empty()) first = state;
    CHECK(state == first);  // to the bit, in every shard
  }
  return first;
}

}  // namespace

TEST_CASE("shards: running averages are those of the whole batch, and the same in all shards") {
  const Tensor a = random({11, 2, 3}, 3, 2), b = random({8, 2, 3}, -1, 1);
  std::vector<std::function<std::unique_ptr<Layer>()>> norms;
  for (const BatchNormOptions& o : {BatchNormOptions{}, {.unbiased = false}, {.cumulative = true}})
    norms.push_back([o] { return std::make_unique<BatchNorm>(3, o); });
  norms.push_back(
      [] { return std::make_unique<BatchRenorm>(3, BatchRenormOptions{.start = 0, .r_end = 0, .d_end = 0}); });
  norms.push_back([] {
    Random source(5);
    return std::make_unique<Dropout>(real(0.4), source);
  });
  for (const auto& make : norms) {
    CAPTURE(make()->describe());
    std::vector<double> whole_output, output;
    const std::vector<double> whole = state_after(make, a, b, 0, &whole_output);
    for (int64_t shards : {1, 2, 3, 8}) {
      output.clear();
      CHECK(largest_difference(state_after(make, a, b, shards, &output), whole) < 1e-12);
      CHECK(largest_difference(output, whole_output) < 1e-12);
    }
  }
}

TEST_CASE("shards: local=on normalises each by itself, and averages their statistics as ghost batches do") {
  const Tensor a = random({12, 2, 3}, 3, 2), b = random({8, 2, 3}, -1, 1);
  const auto local = [] { return std::make_unique<BatchNorm>(3, BatchNormOptions{.local = true}); };
  for (int64_t shards : {2, 4}) {
    std::vector<double> output, ghosts;
    const std::vector<double> state = state_after(local, a, b, shards, &output);
    BatchNorm ghost(3, {.ghost = 12 / shards});
    append(ghosts, ghost.forward(a, Mode::train));
    ghost.options.ghost = 8 / shards;
    append(ghosts, ghost.forward(b, Mode::train));
    std::vector<double> expected;
    for (const Named& n : named(ghost)) append(expected, n.tensor);
    CHECK(largest_difference(output, ghosts) < 1e-12);
    CHECK(largest_difference(state, expected) < 1e-12);
  }
  // Ghost batches of their own stay within a shard: two shards of six, in parts of three, are four parts.
  std::vector<double> parts, whole;
  state_after([] { return std::make_unique<BatchNorm>(3, BatchNormOptions{.ghost = 3}); }, a, a, 2, &parts);
  state_after([] { return std::make_unique<BatchNorm>(3, BatchNormOptions{.ghost = 3}); }, a, a, 0, &whole);
  CHECK(largest_difference(parts, whole) < 1e-12);
  state_after([] { return std::make_unique<BatchNorm>(3, BatchNormOptions{.ghost = 3}); }, random({11, 1, 3}), a, 2);
}

TEST_CASE("shards: one row in each has statistics together, and none by itself") {
  const Tensor x = random({2, 3});
  const auto pass = [&](bool local) {
    BatchNorm norms[] = {BatchNorm(3, {.local = local}), BatchNorm(3, {.local = local})};
    Shards(2).run(2, [&](int64_t i) { norms[i].forward(rows_of(x, i, i + 1), Mode::train); });
  };
  pass(false);
  CHECK_THROWS_WITH_AS(pass(true), doctest::Contains("one value per channel has no variance"), Error);
}
