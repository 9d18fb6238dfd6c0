#include "layers/recalibrate.h"

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
  const int64_t channels = x.channels();
  mean_.resize(static_cast<size_t>(channels));
  squares_.resize(static_cast<size_t>(channels));
  Normalized batch{{}, reshape(x.detach(), {x.size()}), Tensor::zeros({channels})};  // of one row
  if (x.rows() > 1) batch = batch_norm(x.detach(), Tensor::zeros({channels}), Tensor::zeros({channels}));
  const double rows = static_cast<double>(x.rows()), all = rows_ + rows;
  for (size_t c = 0; c < mean_.size(); ++c) {
    const double shift = batch.mean.data()[c] - mean_[c];
    mean_[c] += shift * rows / all;
    squares_[c] += batch.var.data()[c] * rows + shift * shift * rows_ * rows / all;
  }
  rows_ = all;
}

Tensor Population::mean() const { return Tensor::of({static_cast<int64_t>(mean_.size())}, {mean_.begin(), mean_.end()}); }

Tensor Population::var() const {
  Tensor v = Tensor::empty({static_cast<int64_t>(squares_.size())});
  for (size_t c = 0; c < squares_.size(); ++c) v.data()[c] = static_cast<real>(squares_[c] / rows_);
  return v;
}

void recalibrate(Layer& network, const EachBatch& each_batch) {
  const Recording off(false);
  for (const auto& [name, norm] : running_norms(network)) {
    Population population;
    norm->watch = [&](const Tensor& x) { population.add(x); };
    each_batch([&](const Tensor& x) { network.forward(x, Mode::eval); });
    norm->watch = nullptr;
    check(population.rows() >= 2, "recalibrate: {} saw {} values a channel, one has no variance", name, population.rows());
    norm->set_statistics(population.mean(), population.var(), population.rows());
  }
}

}  // namespace evenkeel
