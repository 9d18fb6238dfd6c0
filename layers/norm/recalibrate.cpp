#include "layers/norm/recalibrate.h"

#include "layers/sequential.h"

namespace evenkeel {

std::vector<std::pair<std::string, RunningNorm*>> running_norms(Layer& network) {
  struct Find : Visitor {
    void child(const std::string& name, Layer& layer) override {
      if (auto* norm = dynamic_cast<RunningNorm*>(&layer)) found.emplace_back(full_name(name), norm);
      Visitor::child(name, layer);
    }
    std::vector<std::pair<std::string, RunningNorm*>> found;
  } find;
  if (auto* norm = dynamic_cast<RunningNorm*>(&network)) find.found.emplace_back("", norm);
  network.visit(find);
  return find.found;
}

void Population::add(const Tensor& x) {
  Moments batch = moments(x, 0, x.rows());
  if (all_.count > 0) batch.merge(all_);
  all_ = std::move(batch);
}

void recalibrate(Layer& network, const EachBatch& each_batch) {
  struct Watching {
    RunningNorm& norm;
    ~Watching() { norm.watch = nullptr; }
  };
  const Recording off(false);
  const auto* sequence = dynamic_cast<const Sequential*>(&network);
  for (const auto& [name, norm] : running_norms(network)) {
    if (sequence && std::stoull(name) < sequence->frozen) continue;
    Population population;
    {
      const Watching watching{*norm};
      norm->watch = [&](const Tensor& x) { population.add(x); };
      each_batch([&](const Tensor& x) { network.forward(x, Mode::eval); });
    }
    check(population.rows() >= 2,
          "recalibrate: norm {} must see at least two values a channel, got {}; give more images", name,
          population.rows());
    try {
      norm->set_statistics(population.mean(), population.var(), population.rows());
    } catch (const Error& error) {
      fail(Fault::failed,
           "recalibrate: the inputs of norm {} must have a finite mean and variance; the network has diverged: use an "
           "earlier checkpoint\n  {}",
           name, error.what());
    }
  }
}

}  // namespace evenkeel
