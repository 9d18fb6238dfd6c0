// The model of what shards on many machines cost (apps/distributed/README.md), and its picture.
#include <doctest/doctest.h>
#include <fmt/core.h>

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "apps/report/plot.h"
#include "apps/trainer/trainer.h"
#include "layers/model/spec.h"
#include "layers/norm/recalibrate.h"
#include "tests/apps/process.h"

using namespace evenkeel;

namespace {

// A message of b bytes takes latency + b / bandwidth: it goes in parts that need no answer of the receiver.
struct Network {
  const char* name;
  double gbit, latency;  // of a message, in seconds
  double message_ms(double bytes) const { return 1e3 * (latency + bytes / (gbit * 1e9 / 8)); }
};
constexpr Network networks[] = {{"10 Gbit/s, 20 us", 10, 20e-6}, {"100 Gbit/s, 5 us", 100, 5e-6}};

// Milliseconds of exchanges in a step on `machines`, a power of two, one shard on each. A fold sends a message at each
// of log2(machines) levels; gradients of 16 KB and more, halved at each level and put together again, two, of twice
// (1 - 1 / machines) their bytes together. Large ones are exchanged each by itself, the others in a row.
struct Cost {
  double norms = 0, others = 0;
  double all() const { return norms + others; }
};
Cost exchange_ms(Sequential& network, const Network& n, double machines, bool local) {
  const double levels = std::log2(machines);
  const auto fold = [&](double bytes) { return levels * n.message_ms(bytes); };
  const auto summed = [&](double bytes) {
    return bytes < 16384 ? fold(bytes) : 2 * levels * n.message_ms((1 - 1 / machines) * bytes / levels);
  };
  Cost cost{.others = fold(16) + fold(4)};  // loss and right answers; whether to stop
  int64_t row = 0;
  for (const Parameter& p : parameters(network)) {
    if (p.value.size() < Trainer::large)
      row += p.value.size();
    else
      cost.others += summed(4 * static_cast<double>(p.value.size()));
  }
  cost.others += summed(4 * static_cast<double>(row));
  for (const auto& [name, norm] : running_norms(network)) {
    const double channels = static_cast<double>(norm->running_mean.size());
    cost.norms += local ? fold(8 * (2 + 2 * channels)) : fold(8 * (1 + 2 * channels)) + fold(16 * channels);
  }
  return cost;
}

}  // namespace

TEST_CASE("the cost of exchanges on many machines: the table and the picture of apps/distributed") {
  const std::string folder = std::string(EVENKEEL_SOURCE_DIR) + "/apps/distributed";
  const std::string page = slurp(folder + "/README.md");
  std::vector<Chart> charts;
  const std::pair<const char*, Shape> subjects[] = {{"lenet", {28, 28, 1}}, {"resnet20", {32, 32, 3}}};
  for (const auto& [model, image] : subjects) {
    const auto network = make_model({.model = model, .norm = "batch", .input = image, .classes = 10});
    Chart chart{.title = model,
                .x_label = "machines",
                .y_label = "ms of exchanges in a step",
                .series = {},
                .log_x = true,
                .log_y = true};
    int color = 0;
    for (const Network& n : networks) {
      for (const bool local : {false, true}) {
        Series line{fmt::format("{}{}", n.name, local ? ", local=on" : ""), {}, {}, color, local};
        for (double machines = 2; machines <= 1024; machines *= 2) {
          line.x.push_back(machines);
          line.y.push_back(exchange_ms(*network, n, machines, local).all());
        }
        chart.series.push_back(line);
      }
      ++color;
      const auto at = [&](double machines, bool local) { return exchange_ms(*network, n, machines, local).all(); };
      const std::string row =
          fmt::format("| {} | {} | {:.2f} | {:.2f} | {:.2f} | {:.2f} | {:.2f} | {:.2f} |", model, n.name, at(8, false),
                      at(64, false), at(1024, false), at(8, true), at(64, true), at(1024, true));
      CHECK_MESSAGE(contains(page, row), row);
      double first = 2;  // the machines with which the exchanges of batch norm outweigh all others
      while (first <= 1024 &&
             exchange_ms(*network, n, first, false).norms <= exchange_ms(*network, n, first, false).others)
        first *= 2;
      const std::string from = first > 1024 ? fmt::format("{} never", model)
                                            : fmt::format("{} from {} machines on at {}", model, first, n.name);
      CHECK_MESSAGE(contains(page, from), from);
    }
    charts.push_back(chart);
  }
  const std::string picture = svg_picture("Exchanges in a training step, by the model", charts);
  CHECK_MESSAGE((slurp(folder + "/cost.svg") == picture), "cost.svg is not this picture:\n" << picture);
}

TEST_CASE("the model predicts the measured cost of a message") {
  const std::string page = slurp(std::string(EVENKEEL_SOURCE_DIR) + "/apps/distributed/README.md");
  constexpr Network loopback{"loopback", 51, 4.1e-6}, relay{"relay", 3.2, 10.45e-3};
  const struct {
    double bytes, loopback_ms, relay_ms;
  } measured[] = {{8, 0.0041, 10.5},      {4096, 0.0060, 10.5},    {16384, 0.0083, 10.5},  {61440, 0.0155, 10.5},
                  {262144, 0.0417, 11.0}, {1048576, 0.1725, 12.3}, {3407872, 0.5252, 20.1}};
  for (const auto& m : measured) {
    const double on_loopback = loopback.message_ms(m.bytes), on_relay = relay.message_ms(m.bytes);
    const std::string row = fmt::format("| {} | {:.4f} | {:.4f} | {:.1f} | {:.1f} |", m.bytes, m.loopback_ms,
                                        on_loopback, m.relay_ms, on_relay);
    CHECK_MESSAGE(contains(page, row), row);
    CHECK(on_loopback == doctest::Approx(m.loopback_ms).epsilon(0.25));
    CHECK(on_relay == doctest::Approx(m.relay_ms).epsilon(0.1));
  }
  std::string ten = "conv:4:3:stride=4 norm act";
  for (int i = 0; i < 9; ++i) ten += " conv:4:3 norm act";
  const struct {
    const char* name;
    std::string model;
    double with_batch, with_local, with_layer;  // ms of exchanges in a step, measured over the relay
  } trained[] = {{"one convolution", "conv:4:3:stride=4 norm act flatten dense:classes", 52.6, 47.3, 35.9},
                 {"ten convolutions", ten + " flatten dense:classes", 271.2, 152.9, 33.4},
                 {"two convolutions, `dense:1024`",
                  "conv:4:3:stride=2 norm act conv:4:3:stride=2 norm act flatten dense:1024 norm act dense:classes",
                  116.2, 74.3, 42.1}};
  for (const auto& t : trained) {
    const auto network = make_model({.model = t.model, .norm = "batch", .input = {28, 28, 1}, .classes = 10});
    const Cost batch = exchange_ms(*network, relay, 2, false), local = exchange_ms(*network, relay, 2, true);
    const std::string row = fmt::format("| {:.0f}, {:.0f} | {:.0f}, {:.0f} | {:.0f}, {:.0f} |", batch.all(),
                                        t.with_batch, local.all(), t.with_local, batch.others, t.with_layer);
    CHECK(contains(page, std::string("| ") + t.name));
    CHECK_MESSAGE(contains(page, row), row);
    CHECK(batch.all() == doctest::Approx(t.with_batch).epsilon(0.2));
    CHECK(local.all() == doctest::Approx(t.with_local).epsilon(0.2));
    CHECK(batch.others == doctest::Approx(t.with_layer).epsilon(0.2));
  }
}
