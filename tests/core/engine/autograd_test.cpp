#include <doctest/doctest.h>
#include <fmt/format.h>

#include <functional>
#include <string>

#include "core/ops/ops.h"
#include "optim/sgd.h"

using namespace evenkeel;

namespace {

Tensor leaf(real value) { return Tensor::scalar(value).track(); }

// An op that is wrong in the way it is told to be.
Tensor badly(const Tensor& x, const Grads& gradients) {
  return record(x.detach(), {x}, [gradients](const Tensor&, const Tensor&) { return gradients; });
}

Tensor identity(const Tensor& x) {
  return unary(
      x, [](real v) { return v; }, [](auto, auto, auto g) { return g; });
}

}  // namespace

TEST_CASE("a chain of two million ops is built, differentiated and destroyed") {
  const int64_t before = live_nodes();
  {
    Tensor x = Tensor::scalar(1);
    x.track();
    Tensor y = x;
    for (int i = 0; i < 2'000'000; ++i) y = y + real(0);
    CHECK(grad(std::move(y), {x})[0].item() == 1);
  }
  CHECK(live_nodes() == before);
}

TEST_CASE("a derivative through what was computed while recording was off is an error that says so") {
  Tensor x = Tensor::scalar(2);
  x.track();
  const Tensor g = grad(square(x), {x})[0];
  CHECK_THROWS_WITH_AS(grad(g * x, {x}), doctest::Contains("recording was off"), Error);
  CHECK(grad(g.detach() * x, {x})[0].item() == 4);
}

TEST_CASE("Recording(false) ends where its scope ends, and what was set around it holds again") {
  const Tensor x = leaf(2);
  {
    const Recording off(false);
    {
      const Recording on(true);
      CHECK(recording());
      CHECK((x * x).tracked());
      {
        const Recording again(false);
        CHECK_FALSE(recording());
        CHECK((x * x).severed());
      }
      CHECK(recording());
    }
    CHECK_FALSE(recording());  // the inner scopes have not switched it on
    CHECK((x * x).severed());
    CHECK_THROWS_AS(record(Tensor(), {x}, {}), Error);
    CHECK_FALSE(recording());
  }
  CHECK(recording());
}

TEST_CASE("what grad() has set is undone when a vjp throws") {
  const Tensor x = leaf(1);
  const Vjp throws = [](const Tensor&, const Tensor&) -> Grads { throw std::runtime_error("vjp"); };
  const Tensor y = record(x.detach(), {x}, throws);
  CHECK_THROWS_WITH_AS(grad(y, {x}), "vjp", std::runtime_error);
  CHECK(recording());
}

TEST_CASE("the graph keeps the values that a vjp reads, and no others") {
  constexpr int64_t n = 1 << 20;
  constexpr int64_t bytes = n * static_cast<int64_t>(sizeof(real));
  const Tensor x = Tensor::full({n}, real(0.5)).track();
  const int64_t before = memory_stats().live_bytes;
  const auto tensors_kept = [&] { return (memory_stats().live_bytes - before + bytes / 2) / bytes; };
  Tensor y = x;
  for (int i = 0; i < 10; ++i) {
    y = reshape(y * real(0.5) + x, {n / 2, 2});
    y = reshape(y - Tensor::full({n / 2, 2}, real(0.25)), {n});
  }
  CHECK(tensors_kept() == 1);  // y alone: sums and multiples read nothing
  y = exp(y);
  CHECK(tensors_kept() == 2);  // exp reads its result, and unary() keeps the input too
  y = square(y);
  CHECK(tensors_kept() == 3);
  y = relu(y * real(3));
  CHECK(tensors_kept() == 4);  // relu reads its result, not y * 3
  const Tensor loss = sum(y);
  y = Tensor();
  CHECK(tensors_kept() == 4);
  double slope = 1;  // of the ten lines above; their value stays 0.5
  for (int i = 0; i < 10; ++i) slope = slope / 2 + 1;
  CHECK(grad(loss, {x})[0].data()[n - 1] == doctest::Approx(3 * 2 * std::exp(1.0) * slope));
}

TEST_CASE("a result may be written to if no vjp reads it") {
  const Tensor x = leaf(3);
  Tensor y = x * real(2);
  const Tensor z = y + real(1);
  y.mutable_data()[0] = 100;
  CHECK(grad(z, {x})[0].item() == 2);
  Tensor e = exp(x);
  const Tensor after = e + real(1);
  e.mutable_data()[0] = 100;
  CHECK_THROWS_WITH_AS(grad(after, {x}), doctest::Contains("grad: the result of exp, of shape (), was written to"),
                       Error);
}

TEST_CASE("a leaf keeps its values in the graph, and a tensor that has none says so") {
  const Tensor x = leaf(3), y = x * real(2);
  CHECK(leaves(y + real(1))[0].item() == 3);
  CHECK(x.without_values().item() == 3);
  const Tensor none = y.without_values();
  CHECK((none.id() == y.id() && none.tracked() && none.shape() == y.shape()));
  CHECK_THROWS_WITH_AS(none.item(), doctest::Contains("without_values"), Error);
  CHECK_THROWS_WITH_AS(none.detach(), doctest::Contains("without_values"), Error);
}

TEST_CASE("a tensor that is asked for twice gets its gradient twice") {
  const Tensor x = leaf(3), w = leaf(5);
  const Grads g = grad(x * w * x, {x, w, x});
  REQUIRE(g.size() == 3);
  CHECK(g[0].item() == 30);
  CHECK(g[1].item() == 9);
  CHECK(g[2].item() == 30);
  const Grads own = grad(x, {x, x});  // of itself
  CHECK(own[0].item() == 1);
  CHECK(own[1].item() == 1);
  const Grads none = grad(square(w), {x, x, w});
  CHECK(none[0].item() == 0);
  CHECK(none[1].item() == 0);
  CHECK(none[2].item() == 10);
}

TEST_CASE("a cotangent gives its memory to a gradient only if no handle shares its values") {
  Tensor g = Tensor::full({2, 3}, 1);
  const real* const values = g.data();
  CHECK(reuse_or_empty(g).data() == values);
  for (const Tensor& other : {g, g.detach(), g.viewed({6})}) {
    CHECK(reuse_or_empty(g).data() != values);
    CHECK(reuse_or_empty(g).shape() == g.shape());
    CHECK(other.data() == values);
  }
}

TEST_CASE("a cotangent that is itself the gradient stays as it was") {
  const Tensor x = Tensor::scalar(2).track(), y = x * real(3);
  Tensor cotangent = Tensor::scalar(5);
  CHECK(grad(y, {y}, {.cotangent = cotangent})[0].item() == 5);
  CHECK_FALSE(cotangent.severed());
  CHECK(grad(cotangent * x, {x})[0].item() == 5);
  // u and v get one and the same cotangent, to which u's other gradient is added.
  const Tensor u = x * real(1), v = x * real(10);
  CHECK(grad(u + v + u, {x, v}, {.cotangent = cotangent})[1].item() == 5);
  CHECK(grad(u + u, {u}, {.cotangent = cotangent})[0].item() == 10);
  CHECK(cotangent.item() == 5);
}

TEST_CASE("gradients computed in place do not change a tensor that another handle holds") {
  Random random(5);
  const Shape shape{3, 5, 5, 16};
  const Tensor gamma = Tensor::uniform({16}, random, 0.5, 2).track(), beta = Tensor::normal({16}, random).track(),
               more = Tensor::normal(shape, random).track(), w = Tensor::normal({16, 3, 3, 16}, random).track();
  const ConvOptions padded{.padding = 1};
  std::vector<std::pair<std::string, std::function<Tensor(const Tensor&)>>> ops{
      {"silu", [](const Tensor& x) { return silu(x); }},
      {"relu", [](const Tensor& x) { return relu(x); }},
      {"conv2d, relu", [=](const Tensor& x) { return conv2d(x, w, padded, {}, {.after = After::relu}); }},
      {"conv2d, bias, relu", [=](const Tensor& x) { return conv2d(x, w, padded, beta, {.after = After::relu}); }}};
  for (const After after : {After::nothing, After::relu, After::gelu})
    for (const Tensor& add : {Tensor(), more}) {
      const std::string name = fmt::format(" {}{}", static_cast<int>(after), add.defined() ? ", add" : "");
      const Epilogue then{.add = add, .after = after};
      ops.emplace_back("batch_norm" + name, [=](const Tensor& x) { return batch_norm(x, gamma, beta, 1e-5, then).y; });
      ops.emplace_back("group_norm" + name, [=](const Tensor& x) { return group_norm(x, 4, gamma, beta, 1e-5, then); });
    }
  const Tensor x = Tensor::normal(shape, random).track(), cotangent = Tensor::normal(shape, random);
  const std::vector<real> given = cotangent.values();
  for (const auto& [name_, op] : ops) {
    const std::string& name = name_;
    INFO(name);
    const auto gradient_of = [&, op = op](const Tensor& at, const Tensor& more_users) {
      const Tensor y = op(at);
      return grad(dot(more_users.defined() ? y + more_users : y, cotangent), {at})[0].values();
    };
    const std::vector<real> in_place = gradient_of(x, {});
    CHECK(grad(op(x), {x}, {.cotangent = cotangent})[0].values() == in_place);
    CHECK(cotangent.values() == given);
    const Tensor y = op(x);
    const Grads both = grad(dot(y, cotangent), {x, y});
    CHECK(both[0].values() == in_place);
    CHECK(both[1].values() == given);
    // y + z gives both summands one and the same cotangent.
    const Tensor z = sigmoid(x.detach().track());
    CHECK(gradient_of(x, z) == in_place);
  }
}

TEST_CASE("record refuses a result that is not a new one") {
  const Tensor x = leaf(2), constant = Tensor::scalar(3);
  const Vjp vjp = [](const Tensor&, const Tensor& g) { return Grads{g}; };
  CHECK_THROWS_WITH_AS(record(x, {x}, vjp), doctest::Contains("record: the result"), Error);
  CHECK_THROWS_WITH_AS(record(constant, {leaf(1)}, vjp), doctest::Contains("record: the result"), Error);  // older
  const Tensor y = x * real(2);
  CHECK_THROWS_WITH_AS(record(y, {x}, vjp), doctest::Contains("record: the result"), Error);  // another op's
  Tensor tracked = Tensor::scalar(1);
  tracked.track();
  CHECK_THROWS_WITH_AS(record(tracked, {x}, vjp), doctest::Contains("record: the result"), Error);  // a leaf
  CHECK(grad(y, {x})[0].item() == 2);                                                               // unharmed
  CHECK(record(x.detach(), {x}, vjp).tracked());
  {
    const Recording off(false);
    CHECK_THROWS_WITH_AS(record(x, {x}, vjp), doctest::Contains("record: the result"), Error);
    CHECK_FALSE(x.severed());
  }
}

TEST_CASE("record names the op and the input that is undefined") {
  const auto my_op = [](const Tensor& a, const Tensor& b) {
    return record(
        Tensor::scalar(0), {a, b},
        [](const Tensor&, const Tensor& g) {
          return Grads{g, g};
        },
        "my_op");
  };
  CHECK_THROWS_WITH_AS(my_op(leaf(1), Tensor()), "record: input 1 of my_op is undefined", Error);
  CHECK_THROWS_WITH_AS(record(Tensor(), {leaf(1)}, {}), doctest::Contains("tensor: it is undefined"), Error);
}

TEST_CASE("grad refuses gradients of the wrong number or shape, and names the op") {
  const Tensor x = leaf(2);
  CHECK_THROWS_WITH_AS(grad(badly(x, {}), {x}),
                       "grad: the vjp of badly must return a gradient for each of its 1 inputs, got 0", Error);
  CHECK_THROWS_WITH_AS(grad(badly(x, {x, x}), {x}),
                       "grad: the vjp of badly must return a gradient for each of its 1 inputs, got 2", Error);
  CHECK_THROWS_WITH_AS(
      grad(badly(x, {Tensor::zeros({2})}), {x}),
      "grad: the vjp of badly must return gradients of its inputs' shapes: input 0 is (), its gradient "
      "(2)",
      Error);
  CHECK(identity(x).node()->op == std::string("identity"));
}

TEST_CASE("a vjp that returns nothing for a tracked input is an error, not a gradient of zero") {
  const Tensor x = leaf(2);
  const auto two = [](const Tensor& a, const Tensor& b, const Grads& gradients) {
    return record(
        a.detach() * b.detach(), {a, b}, [gradients](const Tensor&) { return gradients; }, "two");
  };
  CHECK_THROWS_WITH_AS(grad(badly(x, {Tensor()}), {x}),
                       "grad: the vjp of badly must return a gradient for each tracked input, got none for input 0; if "
                       "track() was called on it after badly used it, compute the result again; if the gradient is "
                       "zero, return Tensor::zeros() of its shape, or give record() the input's detach()",
                       Error);
  const Tensor g = Tensor::scalar(1), y = leaf(5);
  CHECK_THROWS_WITH_AS(grad(two(x.detach(), y, {g, Tensor()}), {y}), doctest::Contains("got none for input 1"), Error);
  CHECK(grad(two(x.detach(), y, {Tensor(), g}), {y})[0].item() == 1);
  Tensor bias = Tensor::zeros({1});
  const Tensor late = add_per_channel(leaf(2), bias);
  bias.track();
  CHECK_THROWS_WITH_AS(grad(late, {bias}), doctest::Contains("after add_per_channel used it"), Error);
}

TEST_CASE("add_to writes only to a sum that no other handle shares") {
  Tensor sum = Tensor::of({2}, {1, 2});
  const Tensor x = Tensor::of({2}, {10, 20});
  add_to(sum, x);
  CHECK(sum.values() == std::vector<real>{11, 22});
  const Tensor other = sum;
  CHECK_THROWS_WITH_AS(add_to(sum, x), doctest::Contains("add_to: another handle shares the sum's values"), Error);
  CHECK(other.values() == std::vector<real>{11, 22});
  CHECK_THROWS_WITH_AS(add_to(sum, Tensor::zeros({3})), doctest::Contains("add_to: shapes must agree"), Error);
}

TEST_CASE("a gradient through a graph that is older than a step of the optimiser is an error, not a mixture") {
  Tensor w = Tensor::of({2, 1}, {1, 2}).track();
  const Tensor x = Tensor::of({3, 2}, {1, 2, 3, 4, 5, 6});
  Sgd sgd({{"w", w, true}}, {.lr = real(0.1)});
  const Tensor loss = sum(square(matmul(x, w)));
  const Grads g = grad(loss, {w});
  CHECK(grad(loss, {w})[0].values() == g[0].values());  // as often as one likes
  sgd.step(g);
  CHECK_THROWS_WITH_AS(grad(loss, {w}), doctest::Contains("grad: input 1 of matmul, of shape (2, 1), was written to"),
                       Error);
  CHECK(grad(sum(square(matmul(x, w))), {w})[0].defined());  // computed anew
}

TEST_CASE("every way to write counts, through every handle; reading does not") {
  const auto stale = [](auto&& write) {
    Tensor w = Tensor::of({2}, {1, 2}).track(), b = Tensor::of({2}, {3, 4});
    const Tensor y = exp(w * b);
    write(w, b, y);
    try {
      grad(y, {w}, {.cotangent = Tensor::full({2}, 1)});
    } catch (const Error& e) {
      return std::string(e.what());
    }
    return std::string();
  };
  CHECK(stale([](Tensor& w, Tensor&, Tensor) { CHECK(w.data()[0] + w.values()[1] + sum(w).item() == 6); }) == "");
  CHECK(stale([](Tensor& w, Tensor&, Tensor) { w.detach().clone().mutable_data()[0] = 7; }) == "");  // another storage
  const std::string first = stale([](Tensor& w, Tensor&, Tensor) { w.mutable_data()[0] = 7; });
  CHECK(first.find("input 0 of operator*, of shape (2), was written to") != std::string::npos);
  CHECK(stale([](Tensor& w, Tensor&, Tensor) { w.copy_from(Tensor::zeros({2})); }) == first);
  CHECK(stale([](Tensor& w, Tensor&, Tensor) { w.detach().copy_from(w); }) == first);
  CHECK(stale([](Tensor& w, Tensor&, Tensor) { reshape(w, {2, 1}).mutable_data()[1] = 7; }) == first);
  const std::string second = stale([](Tensor&, Tensor& b, Tensor) { b.mutable_data()[0] = 7; });  // a constant
  CHECK(second.find("input 1 of operator*, of shape (2), was written to") != std::string::npos);
  const std::string own = stale([](Tensor&, Tensor&, Tensor y) { y.mutable_data()[0] = 7; });
  CHECK(own.find("the result of exp, of shape (2), was written to") != std::string::npos);
}

TEST_CASE("gradients of gradients notice a write between them as well") {
  Tensor x = leaf(2);
  const Tensor g = grad(x * x * x, {x}, {.differentiable = true})[0];
  CHECK(g.item() == 12);
  CHECK(grad(g, {x})[0].item() == 12);
  x.copy_from(Tensor::scalar(5));
  CHECK_THROWS_WITH_AS(grad(g, {x}), doctest::Contains("was written to"), Error);
  const Tensor t = leaf(3), y = relu(x), h = grad(y, {x}, {.differentiable = true, .cotangent = t})[0];  // gate(t, y)
  CHECK(grad(h, {t})[0].item() == 1);
  Tensor(y).mutable_data()[0] = -1;
  CHECK_THROWS_WITH_AS(grad(h, {t}), doctest::Contains("grad: input 1 of gate, of shape (), was written to"), Error);
}
