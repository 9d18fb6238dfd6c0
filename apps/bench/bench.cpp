#include "apps/bench/bench.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <fstream>

#include "apps/trainer/trainer.h"
#include "core/base/memory.h"
#include "core/base/parallel.h"
#include "core/kernels/gemm.h"
#include "layers/activation.h"
#include "layers/conv2d.h"
#include "layers/dense.h"
#include "layers/model/inference.h"
#include "layers/model/spec.h"
#include "layers/norm/batch_norm.h"
#include "layers/pooling.h"
#include "optim/sgd.h"

namespace evenkeel {
namespace {

double seconds() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

// Seconds since this process started, give or take 1/100 s.
double process_age() {
  std::ifstream stat("/proc/self/stat"), uptime("/proc/uptime");
  std::string line;
  std::getline(stat, line);
  double up = 0;
  if (line.empty() || !(uptime >> up)) return 0;
  const char* field = line.c_str() + line.rfind(')') + 2;  // the third field; the start time is the 22nd
  for (int i = 3; i < 22 && field; ++i) field = std::strchr(field, ' ') + 1;
  return up - std::strtod(field, nullptr) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

double resident_mib() {
  struct rusage usage {};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

double bytes(const Tensor& t) { return static_cast<double>(t.size()) * sizeof(real); }

}  // namespace

const std::vector<Workload>& workloads() {
  static const std::vector<Workload> all = {
      {"W1", "MLP 784-100-100-100-10, sigmoid (the BN paper's)", "mlp:100-100-100", "sigmoid", {28, 28, 1}, 60, true},
      {"W2", "MLP 784-512-512-10, ReLU", "mlp", "relu", {28, 28, 1}, 128, true},
      {"W3", "lenet: conv 5x5 32 and 64, dense 512, 28x28x1", "lenet", "relu", {28, 28, 1}, 64, true},
      {"W4", "vgg: conv 3x3 64-64-128-128-256-256, 32x32x3", "vgg", "relu", {32, 32, 3}, 128, true},
      {"W5", "ResNet-20 for CIFAR, 32x32x3", "resnet20", "relu", {32, 32, 3}, 128, true},
      {"W6", "inference of W4", "vgg", "relu", {32, 32, 3}, 128, false},
  };
  return all;
}

double median(std::vector<double> v) {
  std::sort(v.begin(), v.end());
  return v.size() % 2 ? v[v.size() / 2] : (v[v.size() / 2 - 1] + v[v.size() / 2]) / 2;
}

Timing summarise(std::vector<double> s) {
  std::sort(s.begin(), s.end());
  return {median(s) * 1e3, s[0] * 1e3, s[std::min(s.size() - 1, s.size() * 9 / 10)] * 1e3};
}

Timing time_calls(const std::function<void()>& f, int64_t steps, int64_t warmup) {
  std::vector<double> times;
  for (int64_t i = 0; i < warmup + steps; ++i) {
    const double begin = seconds();
    f();
    if (i >= warmup) times.push_back(seconds() - begin);
  }
  return summarise(std::move(times));
}

WorkloadResult run_workload(const Workload& w, const std::string& norm, int64_t batch, int64_t steps) {
  const double begin = seconds();
  WorkloadResult result;
  result.batch = batch ? batch : w.batch;
  const auto network = make_model({.model = w.model, .norm = norm, .activation = w.activation, .input = w.input});
  Random random(1);
  std::vector<Batch> batches(4);
  for (Batch& b : batches) {
    b.x = Tensor::normal({result.batch, w.input[0], w.input[1], w.input[2]}, random);
    for (int64_t i = 0; i < result.batch; ++i) b.labels.push_back(static_cast<int32_t>(random.below(10)));
  }
  Sgd sgd(parameters(*network), {.momentum = real(0.9), .weight_decay = real(5e-4)});
  Trainer trainer(*network, sgd, {.lr = 0.01});

  result.parameters = parameter_count(*network);
  result.gflop = 2e-9 * network->multiply_adds(w.input) * static_cast<double>(result.batch) * (w.training ? 3 : 1);
  if (!w.training) prepare_inference(*network);
  size_t turn = 0;
  auto step = [&] {
    const Batch& batch = batches[turn++ % batches.size()];
    if (w.training) {
      trainer.step(batch);
    } else {
      Recording off(false);
      network->forward(batch.x, Mode::eval);
    }
  };
  step();
  result.first_step_s = std::max(process_age(), seconds() - begin);
  result.timing = time_calls(step, steps);
  result.tensor_mib = static_cast<double>(memory_stats().peak_bytes) / (1 << 20);
  result.rss_mib = resident_mib();
  return result;
}

Ceilings measure_ceilings() {
  Ceilings c;
  const int64_t n = 1024, jobs = threads();
  Random random(1);
  const Tensor a = Tensor::normal({n, n}, random), b = Tensor::normal({n, n}, random);
  Tensor y = Tensor::empty({jobs, n, n});
  real* out = y.mutable_data();
  const Timing products = time_calls(
      [&] {
        parallel_for(
            jobs, [&](int64_t i) { gemm(false, false, n, n, n, a.data(), n, b.data(), n, false, out + i * n * n, n); });
      },
      7);
  c.sgemm_gflops = 2e-6 * static_cast<double>(n * n * n * jobs) / products.ms_min;

  const int64_t size = int64_t{1} << 26;  // 256 MiB
  const Tensor from = Tensor::full({size}, 1);
  Tensor to = Tensor::empty({size});
  real* copied = to.mutable_data();
  const Timing copies = time_calls(
      [&] {
        parallel_blocks(size, 1 << 18, [&](int64_t begin, int64_t end) {
          std::copy(from.data() + begin, from.data() + end, copied + begin);
        });
      },
      7);
  c.copy_gbs = 2e-6 * bytes(from) / copies.ms_min;
  return c;
}

std::vector<LayerTiming> time_layers(int64_t steps) {
  Random random(1);
  std::vector<LayerTiming> rows;
  // forward_tensors, backward_tensors: the least memory traffic, in multiples of x's size.
  auto add = [&](const std::string& name, Layer& layer, const Shape& shape, double forward_tensors,
                 double backward_tensors, bool relu = false, bool image = false) {
    Tensor x = Tensor::normal(shape, random);
    if (!image) x.track();
    std::vector<Tensor> at = values(parameters(layer));
    if (!image) at.push_back(x);
    Tensor y;
    LayerTiming row;
    row.name = name;
    std::vector<double> forward, backward;
    Tensor cotangent;
    for (int64_t i = 0; i < steps + 2; ++i) {
      const double t0 = seconds();
      y = layer.forward_then(x, Mode::probe, {.after = relu ? After::relu : After::nothing});
      const double t1 = seconds();
      if (i == 0) cotangent = Tensor::normal(y.shape(), random);
      const double t2 = seconds();
      grad(std::move(y), at, {.cotangent = cotangent});
      const double t3 = seconds();
      if (i >= 2) forward.push_back(t1 - t0), backward.push_back(t3 - t2);
    }
    row.forward = summarise(forward);
    row.backward = summarise(backward);
    Shape one;
    for (int i = 1; i < shape.rank(); ++i) one.push_back(shape[i]);
    row.gflop = 2e-9 * layer.multiply_adds(one) * static_cast<double>(shape[0]);
    row.forward_bytes = forward_tensors * bytes(x);
    row.backward_bytes = backward_tensors * bytes(x);
    rows.push_back(row);
  };
  auto conv = [&](int64_t side, int64_t channels, int64_t filters, int64_t size, int64_t batch, bool image = false) {
    Conv2d layer(channels, filters, size, {.padding = size / 2}, random, false);
    add(fmt::format("conv{}x{} {}-{} at {}x{}", size, size, channels, filters, side, side), layer,
        {batch, side, side, channels}, 0, 0, false, image);
  };
  conv(32, 3, 64, 3, 128, true);
  conv(32, 64, 64, 3, 128);
  conv(16, 64, 128, 3, 128);
  conv(16, 128, 128, 3, 128);
  conv(8, 128, 256, 3, 128);
  conv(8, 256, 256, 3, 128);
  conv(32, 16, 16, 3, 128);
  conv(16, 32, 32, 3, 128);
  conv(8, 64, 64, 3, 128);
  conv(28, 1, 32, 5, 64, true);
  conv(14, 32, 64, 5, 64);
  Dense dense(512, 512, random);
  add("dense 512-512, batch 128", dense, {128, 512}, 0, 0);
  const Shape large{128, 32, 32, 64};
  BatchNorm norm(64);
  add("batch norm", norm, large, 3, 5);
  add("batch norm + relu", norm, large, 3, 5, true);
  Relu activation;
  add("relu", activation, large, 2, 3);
  MaxPool pool;
  add("max pool 2x2", pool, large, 1.25, 1.25);
  return rows;
}

}  // namespace evenkeel
