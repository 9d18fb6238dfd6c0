// evenkeel bench: the speed on this machine, compared with the machine's limits and with other programs.
#include "apps/cli/command.h"

#include <fmt/core.h>

#include <memory>
#include <string>
#include <vector>

#include "apps/bench/report.h"
#include "apps/cli/options.h"
#include "core/base/check.h"
#include "layers/model/spec.h"

namespace evenkeel {
namespace {

const Workload& workload_named(const std::string& name) {
  std::string known;
  for (const Workload& w : workloads()) {
    if (name == w.name) return w;
    known += fmt::format("{}{}", known.empty() ? "" : ", ", w.name);
  }
  fail(Fault::usage, "bench: there is no workload {}; there are {}", name, known);
}

}  // namespace

Action bench_command(CLI::App& app, const Registry&) {
  struct Options {
    std::string workload, model, python = "python3";
    Setting setting;
    std::vector<std::string> other;
    int64_t rounds = 5;
    bool json = false, against = false, compare = false, ops = false;
  };
  const auto o = std::make_shared<Options>();
  add_text(app, "--workload", o->workload, "NAME", "only this workload: W1 to W6")->group("What");
  add_flag(app, "--ops", o->ops, "every op, forward and backward, in place of the workloads")->group("What");
  add_text(app, "--model", o->model, "MODEL", "this network in place of the workload's, on the same images")
      ->group("What");
  add_text(app, "--norm", o->setting.norm, "NORM", "none, batch, layer, ...")->group("What");
  add_integer(app, "--batch-size", o->setting.batch, 0, 1 << 20, "images a step; 0: the workload's own, 128 with --ops")
      ->group("What");
  add_integer(app, "--steps", o->setting.steps, 1, 1'000'000, "measured steps, after three warm-up steps")
      ->group("What");
  add_flag(app, "--against", o->against,
           "run another program in turn: --against -- PROGRAM ARG...; it must print a line of JSON with \"ms\"")
      ->group("Comparison");
  app.add_option("PROGRAM", o->other, "the other program and its arguments, after -- ");
  add_flag(app, "--compare", o->compare, "run PyTorch in turn, and print a table in Markdown")->group("Comparison");
  add_text(app, "--python", o->python, "PROGRAM", "the Python that has PyTorch, for --compare")->group("Comparison");
  add_integer(app, "--rounds", o->rounds, 1, 1000, "turns of each")->group("Comparison");
  add_flag(app, "--json", o->json, "one line of JSON; with --ops one for each op")->group("Output");
  add_precision(app, o->setting.precision)->group("Running");
  add_threads(app)->group("Running");
  std::string footer = "Workloads:\n";
  for (const Workload& w : workloads()) footer += fmt::format("  {}  {}, batch {}\n", w.name, w.what, w.batch);
  app.footer(footer);
  return [o] {
    const UsePrecision precision(precision_of(o->setting.precision));
    check(o->against == !o->other.empty(), "bench: give the other program as --against -- PROGRAM ARG...");
    check((!o->against && o->model.empty()) || !o->workload.empty(), "bench: --against and --model need a --workload");
    check(!o->compare || (!o->against && !o->json), "bench: --compare takes neither --against nor --json");
    check(!o->against || !o->json, "bench: --against cannot be combined with --json");
    if (o->ops) {
      const Setting& s = o->setting;
      check(o->workload.empty() && !o->against && s.norm == Setting().norm && s.precision == Setting().precision,
            "bench: --ops takes neither --workload, --against, --norm nor --precision");
      const int64_t examples = s.batch ? s.batch : 128;
      if (o->compare)
        compare_ops_with_torch(o->python, examples, s.steps, o->rounds);
      else
        report_ops(examples, s.steps, o->json);
      return 0;
    }
    if (o->workload.empty()) {
      if (o->compare)
        compare_with_torch(workloads(), o->python, o->setting, o->rounds);
      else
        report_all(o->setting, o->json);
      return 0;
    }
    Workload w = workload_named(o->workload);
    if (!o->model.empty()) w.model = w.what = o->model;
    if (o->compare) {
      compare_with_torch({w}, o->python, o->setting, o->rounds);
      return 0;
    }
    if (o->against) {
      compare_with(command_of(w, o->setting), o->other, o->rounds);
      return 0;
    }
    report_workload(w, o->setting, o->json);
    return 0;
  };
}

}  // namespace evenkeel
