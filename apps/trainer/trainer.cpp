#include "apps/trainer/trainer.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "layers/model/inspect.h"
#include "layers/norm/running_norm.h"

namespace evenkeel {
namespace {

// If a variance overflows float, the normalised values are 0 and the loss stays finite, so this is checked too.
std::string norm_that_skipped(Layer& network) {
  struct Find : Visitor {
    std::string found;
    void child(const std::string& name, Layer& layer) override {
      const auto* norm = dynamic_cast<const RunningNorm*>(&layer);
      if (norm && norm->skipped > 0 && found.empty()) found = full_name(name) + " (" + norm->describe() + ")";
      Visitor::child(name, layer);
    }
  } find;
  network.visit(find);
  return find.found;
}

void check_step(Sequential& network, const Batch& batch, double loss) {
  if (!std::isfinite(loss)) {
    const Recording off(false);
    const std::string layer = first_non_finite(network, batch.x);
    fail(Fault::failed, "the loss is {}; {}", std::abs(loss),
         layer.empty() ? "every layer's output is finite" : "the first whose output is not finite is " + layer);
  }
  if (const std::string norm = norm_that_skipped(network); !norm.empty())
    fail(Fault::failed, "layer {} got a batch whose mean or variance is not finite", norm);
}

// What training moves or reads besides the parameters, and the parameters' handles.
struct State : Visitor {
  explicit State(Layer& network) { network.visit(*this); }
  void parameter(const std::string&, Tensor& value, bool) override { parameters.push_back(&value); }
  void buffer(const std::string&, Tensor& value) override { buffers.push_back(&value); }
  void stream(const std::string&, Random& value) override { streams.push_back(&value); }
  std::vector<Tensor*> parameters, buffers;
  std::vector<Random*> streams;
};

// Gives the copy the network's own parameters, and the values of everything else.
void follow(Layer& copy, Layer& network) {
  const State to(copy), from(network);
  check(to.parameters.size() == from.parameters.size() && to.buffers.size() == from.buffers.size() &&
            to.streams.size() == from.streams.size(),
        "shards: the copy must have the network's layers");
  for (size_t i = 0; i < to.parameters.size(); ++i) *to.parameters[i] = *from.parameters[i];
  for (size_t i = 0; i < to.buffers.size(); ++i) to.buffers[i]->copy_from(*from.buffers[i]);
  for (size_t i = 0; i < to.streams.size(); ++i) *to.streams[i] = *from.streams[i];
}

Batch rows_of(const Batch& batch, int64_t begin, int64_t end) {
  Shape shape{end - begin};
  for (int axis = 1; axis < batch.x.shape().rank(); ++axis) shape.push_back(batch.x.dim(axis));
  Batch part{Tensor::empty(shape), Labels(batch.labels.begin() + begin, batch.labels.begin() + end)};
  std::copy_n(batch.x.data() + begin * (batch.x.size() / batch.x.dim(0)), shape.size(), part.x.mutable_data());
  return part;
}

}  // namespace

Trainer::Trainer(Sequential& network, Optimizer& optimizer, Schedule schedule, real label_smoothing)
    : network_(network),
      optimizer_(optimizer),
      schedule_(std::move(schedule)),
      label_smoothing_(label_smoothing),
      trained_(values(optimizer.parameters())) {}

void Trainer::set_shards(Shards& shards, const std::function<std::unique_ptr<Sequential>()>& copy) {
  shards_ = &shards;
  copies_.clear();
  for (int64_t i = 1; i < shards.here(); ++i) copies_.push_back(copy());
}

StepResult Trainer::step(const Batch& batch) {
  StepResult result{.count = batch.size()};
  Grads gradients = shards_ ? pass_shards(batch, result) : pass(network_, batch, result);
  before_update(result, gradients);
  optimizer_.set_lr(static_cast<real>(schedule_.at(steps)));
  optimizer_.step(gradients);
  ++steps;
  return result;
}

// The gradients of the part's share in the loss of the whole batch, which has result.count examples.
Grads Trainer::pass(Sequential& network, const Batch& part, StepResult& result) {
  Tensor loss;
  {
    const Tensor logits = network.forward(part.x, Mode::train);
    loss = cross_entropy(logits, part.labels, label_smoothing_);
    result.correct = count_correct(logits, part.labels);
  }  // nothing keeps an activation but the loss
  result.loss = loss.item();
  const double share = static_cast<double>(part.labels.size()) / static_cast<double>(result.count);
  if (Shard* const shard = this_shard()) {
    double sums[] = {share * result.loss, static_cast<double>(result.correct)};
    shard->sum(sums, 2);
    result.loss = sums[0];
    result.correct = static_cast<int64_t>(sums[1]);
  }
  {
    const InShard alone(nullptr);
    check_step(network, part, result.loss);
    if (&network == &network_ && !std::exchange(checked_, true)) check_named(network, part.x, loss);
  }
  return grad(std::move(loss), trained_, {.cotangent = Tensor::scalar(static_cast<real>(share))});
}

Grads Trainer::pass_shards(const Batch& batch, StepResult& result) {
  const int64_t first = shard_begin(result.count, shards_->first(), shards_->count());
  std::vector<Grads> each(static_cast<size_t>(shards_->here()));
  for (const auto& copy : copies_) follow(*copy, network_);
  shards_->run(result.count, [&](int64_t i) {
    const Shard& shard = *this_shard();
    const bool last = i + 1 == shards_->here();
    StepResult mine = result;
    each[i] = pass(last ? network_ : *copies_[i],
                   shards_->here() == 1 ? batch : rows_of(batch, shard.begin - first, shard.end - first), mine);
    if (last) result = mine;
  });
  sum_over_shards(each);
  return std::move(each[0]);
}

void Trainer::sum_over_shards(std::vector<Grads>& each) {
  std::vector<void*> parts(each.size());
  rows_.resize(each.size());
  for (std::vector<real>& row : rows_) row.clear();
  for (size_t p = 0; p < each[0].size(); ++p) {
    const bool in_place = each[0][p].size() >= large;
    for (size_t i = 0; i < each.size(); ++i) {
      Tensor& g = each[i][p];
      if (in_place && !g.sole_owner()) g = g.clone();
      if (in_place)
        parts[i] = g.mutable_data();
      else
        rows_[i].insert(rows_[i].end(), g.data(), g.data() + g.size());
    }
    if (in_place) shards_->fold(parts, static_cast<size_t>(each[0][p].size()) * sizeof(real), sum_of<real>());
  }
  for (size_t i = 0; i < each.size(); ++i) parts[i] = rows_[i].data();
  shards_->fold(parts, rows_[0].size() * sizeof(real), sum_of<real>());
  const real* next = rows_[0].data();
  for (Tensor& g : each[0]) {
    if (g.size() >= large) continue;
    std::copy_n(next, g.size(), g.mutable_data());
    next += g.size();
  }
}

}  // namespace evenkeel
