// The engine. Ids are creation numbers, and inputs are older than results. So a map ordered by id, newest first, is a
// topological order: no search, no recursion, no visited set.
#include "core/engine/autograd.h"

#include <algorithm>
#include <map>
#include <utility>

#include "core/base/parallel.h"
#include "core/engine/map.h"

namespace evenkeel {
namespace {

// Adds g to sum, in place if no other handle shares it.
void accumulate(Tensor& sum, Tensor g) {
  if (!sum.defined())
    sum = std::move(g);
  else if (!recording() && sum.sole_owner())
    add_to(sum, g);
  else
    sum = sum + g;
}

int64_t version_of(const std::shared_ptr<Storage>& storage) { return storage ? storage->version.load() : 0; }

// If what a vjp reads was written to after recording, the gradient would mix old and new values.
void check_unchanged(const Node& node) {
  const char* advice =
      "was written to (by an optimiser's step, copy_from() or mutable_data()) after it was recorded; its gradient "
      "would mix old and new values: compute the result again";
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    const Node::Input& input = node.inputs[i];
    check(version_of(input.tensor.storage()) == input.version, "grad: input {} of {}, of shape {}, {}", i, node.op,
          input.tensor.shape(), advice);
  }
  check(version_of(node.result) == node.version, "grad: the result of {}, of shape {}, {}", node.op, node.shape,
        advice);
}

void check_gradients(const Node& node, const Grads& gradients) {
  check(gradients.size() == node.inputs.size(),
        "grad: the vjp of {} must return a gradient for each of its {} inputs, got {}", node.op, node.inputs.size(),
        gradients.size());
  for (size_t i = 0; i < gradients.size(); ++i) {
    if (!gradients[i].defined()) {
      check(!node.inputs[i].tensor.tracked(),
            "grad: the vjp of {} must return a gradient for each tracked input, got none for input {}; if track() was "
            "called on it after {} used it, compute the result again; if the gradient is zero, return Tensor::zeros() "
            "of its shape, or give record() the input's detach()",
            node.op, i, node.op);
      continue;
    }
    const Shape &shape = node.inputs[i].tensor.shape(), &got = gradients[i].shape();
    check(got == shape,
          "grad: the vjp of {} must return gradients of its inputs' shapes: input {} is {}, its gradient {}", node.op,
          i, shape, got);
  }
}

}  // namespace

bool recording() { return thread_settings().recording; }
Recording::Recording(bool on) : before_(std::exchange(thread_settings().recording, on)) {}
Recording::~Recording() { thread_settings().recording = before_; }

Vjp vjp_of(bool reads_result, std::function<Grads(const Tensor&, const Tensor&)> vjp) {
  if (reads_result) return vjp;
  return [vjp = std::move(vjp)](const Tensor& g) { return vjp(Tensor(), g); };
}

Tensor record(Tensor y, const std::vector<Tensor>& inputs, Vjp vjp, const char* op) {
  bool fresh = !y.tracked(), tracked = false, severed = false;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const Tensor& input = inputs[i];
    check(input.defined(), "record: input {} of {} is undefined", i, op);
    fresh = fresh && input.id() < y.id();
    tracked = tracked || input.tracked();
    severed = severed || input.severed();
  }
  check(fresh,
        "record: the result of {} must be a tensor made for it, after its inputs, and recorded once; y.detach() is one",
        op);
  Node& node = *y.node();
  node.severed = severed || (tracked && !recording());
  if (tracked && recording()) {
    check(bool(vjp), "record: the vjp of {} is empty; x.detach() is for a result without a derivative", op);
    node.tracked = true;
    if (vjp.reads_result()) node.result = y.storage();
    node.version = version_of(node.result);
    node.op = op;
    node.inputs.reserve(inputs.size());
    for (const Tensor& input : inputs) node.inputs.push_back({input, version_of(input.storage())});
    node.vjp = std::move(vjp);
  }
  return y;
}

Tensor reuse_or_empty(const Tensor& g) { return g.sole_owner() ? g : Tensor::empty(g.shape()); }

Tensor operator+(const Tensor& a, const Tensor& b) {
  return record(map(a, b, [](real x, real y) { return x + y; }), {a.without_values(), b.without_values()},
                [](const Tensor& g) {
                  return Grads{g, g};
                });
}

void add_to(Tensor& sum, const Tensor& x) {
  check_same_shape("add_to", sum, x);
  check(sum.sole_owner(), "add_to: another handle shares the sum's values, and would change too; write sum = sum + x");
  real* out = sum.mutable_data();
  const real* in = x.data();
  parallel_blocks(sum.size(), elementwise_block, [=](int64_t begin, int64_t end) {
#pragma omp simd
    for (int64_t i = begin; i < end; ++i) out[i] += in[i];
  });
}

Tensor alias(const Tensor& y) {
  return record(y.detach(), {y.without_values()}, [](const Tensor& g) { return Grads{g}; });
}

Grads grad(Tensor y, const std::vector<Tensor>& wrt, GradOptions options) {
  check(!y.severed(),
        "grad: the result depends on a tensor that was computed while recording was off; compute it with recording on "
        "(a gradient: with differentiable = true), or detach() it if it is meant to be a constant");
  check(
      y.tracked(),
      "grad: the result depends on no tracked tensor; call track() on the leaves, and write a vjp whose derivative is "
      "needed in ops");
  check(options.cotangent.defined() || y.size() == 1,
        "grad: a result of shape {} needs a cotangent of that shape; only a result of one element has the default 1",
        y.shape());
  Tensor cotangent = options.cotangent.defined() ? options.cotangent : Tensor::full(y.shape(), 1);
  check(cotangent.shape() == y.shape(), "grad: the cotangent's shape {} is not the result's, {}", cotangent.shape(),
        y.shape());

  int64_t oldest = y.id();
  std::multimap<int64_t, size_t> wanted;
  for (size_t i = 0; i < wrt.size(); ++i) {
    check(wrt[i].defined() && wrt[i].tracked(),
          "grad: tensor {} of those to differentiate by is not tracked; call track() on it", i);
    oldest = std::min(oldest, wrt[i].id());
    wanted.emplace(wrt[i].id(), i);
  }

  Recording scope(options.differentiable);
  Grads result(wrt.size());
  struct Pending {
    Tensor y, g;
  };
  std::map<int64_t, Pending, std::greater<>> pending;
  const int64_t root = y.id();
  pending.emplace(root, Pending{std::move(y), std::move(cotangent)});
  while (!pending.empty()) {
    auto [made, g] = std::move(pending.begin()->second);
    pending.erase(pending.begin());
    for (auto [at, end] = wanted.equal_range(made.id()); at != end; ++at) result[at->second] = g;
    const Node& node = *made.node();
    if (!node.vjp) continue;
    check_unchanged(node);
    Grads grads = node.vjp(made, g);
    check_gradients(node, grads);
    g = Tensor();
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      const Tensor& input = node.inputs[i].tensor;
      if (input.id() < oldest) continue;  // older than every tensor of `wrt`: it cannot depend on them
      if (input.tracked()) {
        Pending& p = pending[input.id()];
        if (!p.y.defined()) p.y = input.as_result();
        accumulate(p.g, std::move(grads[i]));
      }
    }
  }
  for (size_t i = 0; i < wrt.size(); ++i) {
    if (!result[i].defined()) result[i] = Tensor::zeros(wrt[i].shape());
    if (options.differentiable) continue;
    result[i] = result[i].detach();
    result[i].node()->severed = true;
  }
  return result;
}

std::vector<Tensor> leaves(const Tensor& y) {
  std::vector<Tensor> found;
  std::map<int64_t, Tensor, std::greater<>> pending;
  if (y.defined() && y.tracked()) pending.emplace(y.id(), y);
  while (!pending.empty()) {
    const Tensor made = std::move(pending.begin()->second);
    pending.erase(pending.begin());
    if (!made.node()->vjp) found.push_back(made);
    for (const auto& [input, version] : made.node()->inputs)
      if (input.tracked()) pending.emplace(input.id(), input);
  }
  std::reverse(found.begin(), found.end());
  return found;
}

Grads pull_back(const std::function<Tensor(const std::vector<Tensor>&)>& f, const std::vector<Tensor>& inputs,
                const Tensor& g) {
  // Aliases are newer than everything the inputs were computed from, so the walk ends at them.
  std::vector<Tensor> at, tracked;
  const bool differentiable = recording();
  const Recording on(true);
  for (const Tensor& t : inputs) at.push_back(alias(t));
  for (const Tensor& t : at)
    if (t.tracked()) tracked.push_back(t);
  Grads some = grad(f(at), tracked, {.differentiable = differentiable, .cotangent = g}), all(inputs.size());
  for (size_t i = 0, j = 0; i < inputs.size(); ++i)
    if (at[i].tracked()) all[i] = some[j++];
  return all;
}

}  // namespace evenkeel
