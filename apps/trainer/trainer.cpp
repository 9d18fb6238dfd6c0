#include "apps/trainer/trainer.h"

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

}  // namespace

Trainer::Trainer(Sequential& network, Optimizer& optimizer, Schedule schedule, real label_smoothing)
    : network_(network),
      optimizer_(optimizer),
      schedule_(std::move(schedule)),
      label_smoothing_(label_smoothing),
      trained_(values(optimizer.parameters())) {}

StepResult Trainer::step(const Batch& batch) {
  StepResult result{.count = static_cast<int64_t>(batch.labels.size())};
  Tensor loss;
  {
    const Tensor logits = network_.forward(batch.x, Mode::train);
    loss = cross_entropy(logits, batch.labels, label_smoothing_);
    result.correct = count_correct(logits, batch.labels);
  }  // nothing keeps an activation but the loss
  result.loss = loss.item();
  if (!std::isfinite(result.loss)) {
    const Recording off(false);
    const std::string layer = first_non_finite(network_, batch.x);
    fail(Fault::failed, "the loss is {}; {}", std::abs(result.loss),
         layer.empty() ? "every layer's output is finite" : "the first whose output is not finite is " + layer);
  }
  if (const std::string norm = norm_that_skipped(network_); !norm.empty())
    fail(Fault::failed, "layer {} got a batch whose mean or variance is not finite", norm);
  if (!std::exchange(checked_, true)) check_named(network_, batch.x, loss);
  Grads gradients = grad(std::move(loss), trained_);
  before_update(result, gradients);
  optimizer_.set_lr(static_cast<real>(schedule_.at(steps)));
  optimizer_.step(gradients);
  ++steps;
  return result;
}

}  // namespace evenkeel
