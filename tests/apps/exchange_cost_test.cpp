// The model of what shards on many machines cost (apps/distributed/README.md), and its picture.
#include <doctest/doctest.h>
#include <fmt/core.h>

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "apps/report/plot.h"
#include "layers/model/spec.h"
#include "layers/norm/recalibrate.h"
#include "tests/apps/process.h"

using namespace evenkeel;

namespace {

struct Network {
  const char* name;
  double gbit, latency;  // of a message, in seconds
};
constexpr Network networks[] = {{"10 Gbit/s, 20 us", 10, 20e-6}, {"100 Gbit/s, 5 us", 100, 5e-6}};

// Milliseconds of exchanges in a step on `machines`, a power of two, one shard on each. A message of b bytes takes
// latency + b / bandwidth, and a fold sends one at each of log2(machines) levels; the gradients, halved at each level
// and put together again, two, of twice (1 - 1 / machines) their bytes together.
struct Cost {
  double norms = 0, others = 0;
  double all() const { return norms + others; }
};
Cost exchange_ms(Sequential& network, const Network& n, double machines, bool local) {
  const double levels = std::log2(machines), bandwidth = n.gbit * 1e9 / 8;
  const auto fold = [&](double bytes) { return 1e3 * levels * (n.latency + bytes / bandwidth); };
  const double gradients = 4 * static_cast<double>(parameter_count(network));
  Cost cost{.others = 1e3 * (2 * levels * n.latency + 2 * (1 - 1 / machines) * gradients / bandwidth)};
  cost.others += fold(16) + fold(4);  // loss and right answers; whether to stop
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
