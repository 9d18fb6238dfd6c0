// Normalisations, losses and a training trajectory against PyTorch's values; see tests/golden/make_norm_golden.py.
#pragma once
#include "layers/norm/batch_norm.h"
#include "optim/sgd.h"
#include "tests/golden.h"

namespace evenkeel {

inline void check_norm_golden(double tolerance) {
  const nlohmann::json all = golden("norm_golden.json");
  auto agrees = [&](const Tensor& y, const Grads& d, const nlohmann::json& expected) {
    check_golden(y, expected["y"], tolerance);
    check_golden(d[0], expected["dx"], tolerance);
    if (d.size() == 1) return;
    check_golden(d[1], expected["dgamma"], tolerance);
    check_golden(d[2], expected["dbeta"], tolerance);
  };
  auto one_plus_wave = [](int64_t n) { return (wave({n}, 5) + 1).track(); };

  BatchNorm norm(3);
  norm.gamma.copy_from(one_plus_wave(3).detach());
  norm.beta.copy_from(wave({3}, 6));
  const Shape image{2, 2, 3, 3};
  for (int t = 0; t < 4; ++t) {
    const nlohmann::json& step = all["batch_norm"]["train"][t];
    Tensor x = (3 * wave(image, t) + static_cast<real>(t)).track();
    const Normalized n = batch_norm(x, norm.gamma, norm.beta);
    check_golden(n.mean, step["mean"], tolerance);
    check_golden(n.var, step["var"], tolerance);
    const Tensor y = norm.forward(x, Mode::train);
    agrees(y, grad(y, {x, norm.gamma, norm.beta}, {.cotangent = wave(image, 10 + t)}), step);
    // PyTorch's averages start at 0 and 1 and are not corrected.
    const real weight = norm.running_weight.item();
    check_golden(norm.running_mean * weight, step["running_mean"], tolerance);
    check_golden(norm.running_var * weight + (1 - weight), step["running_var"], tolerance);
  }
  auto torch_average = [&](const char* name) {
    const auto v = all["batch_norm"]["train"][3][name].get<std::vector<double>>();
    return Tensor::of({3}, {v.begin(), v.end()});
  };
  Tensor x = wave(image, 20).track();
  Tensor y =
      batch_norm_inference(x, torch_average("running_mean"), torch_average("running_var"), norm.gamma, norm.beta);
  agrees(y, grad(y, {x, norm.gamma, norm.beta}, {.cotangent = wave(image, 21)}), all["batch_norm"]["eval"]);

  for (const nlohmann::json& c : all["group_norm"]) {
    Tensor in = wave({2, 2, 2, 6}, 0).track(), gamma = one_plus_wave(6), beta = wave({6}, 6).track();
    y = group_norm(in, c["groups"], gamma, beta);
    agrees(y, grad(y, {in, gamma, beta}, {.cotangent = wave(in.shape(), 1)}), c);
  }
  Tensor in = wave({3, 5}, 0).track(), gamma = one_plus_wave(5), beta = wave({5}, 6).track();
  y = layer_norm(in, gamma, beta);
  agrees(y, grad(y, {in, gamma, beta}, {.cotangent = wave({3, 5}, 1)}), all["layer_norm"]);

  Tensor logits = (5 * wave({3, 4}, 0)).track();
  y = log_softmax(logits);
  agrees(y, grad(y, {logits}, {.cotangent = wave({3, 4}, 1)}), all["log_softmax"]);
  for (const nlohmann::json& c : all["cross_entropy"]) {
    y = cross_entropy(logits, {3, 0, 1}, static_cast<real>(c["smoothing"].get<double>()));
    agrees(y, grad(y, {logits}), c);
  }
}

// Twenty steps of SGD with momentum and decay on conv - batch norm - relu - max pooling - dense.
inline void check_sgd_golden(double tolerance) {
  const nlohmann::json all = golden("norm_golden.json");
  for (const nlohmann::json& c : all["sgd"]) {
    Tensor w = (wave({4, 3, 3, 3}, 1) * real(0.5)).track(), gamma = Tensor::full({4}, 1).track(),
           beta = Tensor::zeros({4}).track();
    Tensor v = (wave({36, 5}, 2) * real(0.2)).track(), b = Tensor::zeros({5}).track();
    Sgd sgd({{"w", w, true}, {"gamma", gamma, false}, {"beta", beta, false}, {"v", v, true}, {"b", b, false}},
            {.lr = real(0.05), .momentum = real(0.9), .weight_decay = real(0.01), .nesterov = c["nesterov"]});
    for (int t = 0; t < 20; ++t) {
      const Tensor h = max_pool(
          batch_norm(conv2d(wave({8, 6, 6, 3}, t), w, {.padding = 1}), gamma, beta, default_eps, {.after = After::relu})
              .y);
      const Tensor loss = cross_entropy(add_per_channel(matmul(reshape(h, {8, 36}), v), b), {0, 1, 2, 3, 4, 0, 1, 2});
      CHECK(std::abs(static_cast<double>(loss.item()) - c["losses"][t].get<double>()) <= tolerance);
      sgd.step(grad(loss, {w, gamma, beta, v, b}));
    }
    check_golden(w, c["w"], tolerance);
    check_golden(gamma, c["gamma"], tolerance);
    check_golden(beta, c["beta"], tolerance);
    check_golden(v, c["v"], tolerance);
    check_golden(b, c["b"], tolerance);
  }
}

}  // namespace evenkeel
