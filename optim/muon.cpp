#include "optim/muon.h"

#include <cmath>

#include "core/engine/map.h"
#include "core/ops/ops.h"
#include "optim/l2_norm.h"

namespace evenkeel {
namespace {

constexpr real tiny = real(1e-7);  // avoids a division by a norm of 0

MuonOptions checked(const MuonOptions& options) {
  check_options("muon", options);
  return options;
}

template <class T>
std::vector<T> chosen(const std::vector<T>& all, const std::vector<size_t>& places) {
  std::vector<T> some;
  for (const size_t i : places) some.push_back(all[i]);
  return some;
}

}  // namespace

Tensor orthogonal(const Tensor& g, int64_t steps) {
  check(g.shape().rank() == 2 && g.size() > 0, "orthogonal: must be a matrix of at least one value, got {}", g.shape());
  const Recording off(false);
  const UsePrecision exact(Precision::float32);
  const bool wide = g.dim(0) <= g.dim(1);
  Tensor x = (wide ? g.detach() : transpose(g.detach())) * (1 / (static_cast<real>(l2_norm(g)) + tiny));
  for (int64_t i = 0; i < steps; ++i) {
    const Tensor a = matmul(x, x, false, true);
    const Tensor b = a * real(-4.775) + matmul(a, a) * real(2.0315);
    x = x * real(3.4445) + matmul(b, x);
  }
  return wide ? x : transpose(x);
}

Muon::Muon(std::vector<Parameter> parameters, const MuonOptions& options)
    : Optimizer(std::move(parameters), options.lr), options_(checked(options)) {
  for (size_t i = 0; i < parameters_.size(); ++i) {
    const Tensor& w = parameters_[i].value;
    const bool filter = w.shape().rank() == 4 && w.size() > 0;
    (filter ? filters_ : others_).push_back(i);
    if (filter) momenta_.push_back(Tensor::zeros(w.shape()));
  }
  sgd_ = std::make_unique<Sgd>(chosen(parameters_, others_), SgdOptions{.lr = lr(),
                                                                        .momentum = options_.other_momentum,
                                                                        .weight_decay = options_.weight_decay,
                                                                        .nesterov = options_.other_momentum > 0,
                                                                        .decay_all = options_.decay_all});
}

std::vector<Parameter> Muon::state() const {
  std::vector<Parameter> all = sgd_->state();
  for (size_t i = 0; i < filters_.size(); ++i)
    all.push_back({"momentum." + parameters_[filters_[i]].name, momenta_[i], false});
  return all;
}

void Muon::update(const Grads& grads) {
  sgd_->set_lr(lr());
  if (!others_.empty()) sgd_->step(chosen(grads, others_));
  const real momentum = options_.momentum;
  for (size_t i = 0; i < filters_.size(); ++i) {
    Tensor w = parameters_[filters_[i]].value;
    const Tensor& g = grads[filters_[i]];
    real* v = momenta_[i].mutable_data();
    parallel_blocks(w.size(), elementwise_block, [&, from = g.data()](int64_t begin, int64_t end) {
#pragma omp simd
      for (int64_t j = begin; j < end; ++j) v[j] = momentum * v[j] + from[j];
    });
    const Tensor d = map(g, momenta_[i], [momentum](real a, real b) { return a + momentum * b; });
    const Tensor turned = orthogonal(reshape(d, {w.dim(0), w.size() / w.dim(0)}), options_.steps);
    const real rate = lr(filters_[i]);
    const auto keep = static_cast<real>(std::sqrt(static_cast<double>(w.dim(0))) / (l2_norm(w) + tiny));
    w.copy_from(map(w.detach(), reshape(turned, w.shape()), [=](real a, real b) { return keep * a - rate * b; }));
  }
}

}  // namespace evenkeel
