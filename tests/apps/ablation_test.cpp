// evenkeel ablate: the variants, the log that a stopped command continues, and the statistics.
#include "apps/train/ablation.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cmath>

#include "apps/train/config.h"
#include "apps/train/recipes.h"
#include "layers/model/spec.h"
#include "optim/groups.h"
#include "optim/named_optimizers.h"
#include "optim/schedule.h"
#include "tests/apps/process.h"
#include "tests/data_files.h"

using namespace evenkeel;

namespace {

const char* const small = R"({
  "options": {"samples": 300, "model": "mlp:8", "epochs": 2, "augment": true, "test-views": true},
  "variants": {"as it is": {}, "none": {"norm": "none"}, "diverges": {"norm": "none", "lr": 1e9}}
})";

std::vector<std::string> lines_of(const std::string& path) {
  std::vector<std::string> lines;
  std::istringstream in(slurp(path));
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

std::string table_of(const std::string& out) { return out.substr(out.find("| variant")); }

}  // namespace

TEST_CASE("ablation: mean difference and standard error of pairs, computed by hand") {
  // Differences 1, 2, 6: mean 3, squares 4 + 1 + 9 = 14, variance 7, standard error sqrt(7 / 3).
  const Difference d = paired_difference({10, 20, 30}, {11, 22, 36});
  CHECK(d.pairs == 3);
  CHECK(d.mean == doctest::Approx(3).epsilon(1e-12));
  CHECK(d.error == doctest::Approx(std::sqrt(7.0 / 3)).epsilon(1e-12));
  CHECK_FALSE(d.clear());                                        // 3 < 3.055
  CHECK(paired_difference({10, 20, 30}, {12, 23, 37}).clear());  // 4 > 3.055
  CHECK(paired_difference({12, 23, 37}, {10, 20, 30}).clear());  // and -4
  CHECK(std::isnan(paired_difference({1}, {3}).error));
  CHECK_FALSE(paired_difference({1}, {3}).clear());
  CHECK_FALSE(paired_difference({1, 2}, {1, 2}).clear());
  CHECK(paired_difference({}, {}).pairs == 0);
}

TEST_CASE("ablation: the table pairs the seeds that both have, and counts the rest") {
  const std::vector<Variant> variants{{"a", {{"lr", 1}}}, {"b", {{"lr", 2}}}, {"c", {{"lr", 3}}}, {"d", {{"lr", 4}}}};
  std::vector<FinishedRun> runs;
  const auto add = [&](size_t variant, uint64_t seed, double views, double plain) {
    runs.push_back({variants[variant].name, seed, variants[variant].options, {0.1, plain}, {1, 1}, views});
  };
  add(0, 1, 0.90, 0.80), add(0, 2, 0.91, 0.82), add(0, 3, 0.92, 0.84);
  add(1, 1, 0.88, 0.80), add(1, 2, 0.88, 0.81), add(1, 3, 0.89, 0.85);  // -2 -3 -3: -2.67 +- 0.33; 0 -1 1: 0 +- 0.58
  add(2, 2, 0.93, 0.80);
  runs.push_back({"c", 1, variants[2].options, {}, {}, {}});
  add(0, 4, 0.5, 0.5);  // beyond the seeds that are asked for
  CHECK(ablation_table(variants, runs, 3) ==
        "| variant | seeds | on several views | difference | without | difference |\n|---|---|---|---|---|---|\n"
        "| a | 3 | 91.00 |  | 82.00 |  |\n"
        "| b | 3 | 88.33 | **-2.67 +- 0.33** | 82.00 | +0.00 +- 0.58 |\n"
        "| c | 1, 1 failed | 93.00 | +2.00 | 80.00 | -2.00 |\n"
        "| d | 0 | - |  | - |  |\n");
}

TEST_CASE(
    "ablation: network, optimiser, groups, schedule and augmentation of every variant beside a recipe can be made") {
  for (const char* file : {"parts", "norm"}) {
    const std::string path = std::string(EVENKEEL_SOURCE_DIR "/apps/train/recipes/cifar10-94/") + file + ".json";
    for (const Variant& v : read_variants(path)) {
      CAPTURE(v.name);
      auto words = nlohmann::json::parse(find_recipe(v.options.at("recipe")).json);
      words["options"].update(v.options);
      words["options"].erase("recipe");
      TrainOptions o = read_config(v.name, words.dump())->values;
      o.model.input = {32, 32, 3};
      const std::unique_ptr<Sequential> network = make_model(o.model);
      for (const Parameter& p : grouped(parameters(*network), o.groups))
        if (p.lr_factor == real(6.9)) CHECK_MESSAGE(p.value.size() == 2560, p.name);  // the last layer's, by its number
      make_optimizer(o.optimizer, grouped(parameters(*network), o.groups));
      parse_schedule(o.schedule, o.lr, o.epochs, 25);
      CHECK(parse_augmentation(o.augment).crop == 2);
    }
  }
}

TEST_CASE("ablation: a run comes back from its line") {
  const Scratch scratch;
  const FinishedRun run{"it's \"odd\"", 7, {{"lr", 0.1}, {"model", "mlp:8"}}, {0.25, 1.0 / 3}, {0.5, 60}, 0.875};
  const FinishedRun failed{"b", 1, {{"lr", 2}}, {}, {}, {}};
  save(scratch / "log", log_line(run) + log_line(failed));
  const std::vector<FinishedRun> read = read_ablation_log(scratch / "log");
  REQUIRE(read.size() == 2);
  CHECK(read[0].variant == run.variant);
  CHECK(read[0].options == run.options);
  CHECK(read[0].accuracy == run.accuracy);
  CHECK(read[0].seconds == run.seconds);
  CHECK(read[0].views == run.views);
  CHECK((read[1].accuracy.empty() && !read[1].views));
  CHECK(find_run(read, {"another name", {{"model", "mlp:8"}, {"lr", 0.1}}}, 7) == &read[0]);
  CHECK_FALSE(find_run(read, {"it's \"odd\"", {{"lr", 0.1}}}, 7));
  CHECK_FALSE(find_run(read, {"b", {{"lr", 2}}}, 2));
}

TEST_CASE("ablate: a command that is killed continues after the last finished run, and ends with the same table") {
  const Scratch scratch;
  save(scratch / "whole.json", small);
  save(scratch / "cut.json", small);
  const auto command = [&](const std::string& name) { return Arguments{"ablate", scratch / name, "--seeds", "2"}; };
  const Outcome whole = run(command("whole.json"));
  REQUIRE_MESSAGE(whole.status == 0, whole.err);
  CHECK(contains(whole.out, "run 1 of 6: as it is, seed 1\n"));
  CHECK(contains(whole.out, "run 6 of 6: diverges, seed 2; about "));
  CHECK(contains(whole.out, "| diverges | 0, 2 failed | - |  | - |  |\n"));
  const std::vector<FinishedRun> runs = read_ablation_log(scratch / "whole.log");
  REQUIRE(runs.size() == 6);
  CHECK(runs[1].options["norm"] == "none");
  CHECK(runs[1].options["samples"] == 300);
  CHECK(runs[1].accuracy.size() == 2);
  CHECK(runs[1].views.has_value());

  Process killed(command("cut.json"));
  REQUIRE(wait_until(killed, [&] {
    return std::filesystem::exists(scratch / "cut.log") && lines_of(scratch / "cut.log").size() >= 2;
  }));
  killed.send(SIGKILL);
  CHECK(killed.wait().status == -SIGKILL);
  if (const int lock = ::open((scratch / "cut.log.run/.lock").c_str(), O_RDWR); lock >= 0) {
    CHECK(::flock(lock, LOCK_EX) == 0);  // the training that it had begun is killed a moment later
    ::close(lock);
  }
  const std::vector<std::string> kept = lines_of(scratch / "cut.log");
  REQUIRE(kept.size() < 6);
  const std::string log_of_cut = slurp(scratch / "cut.log");
  save(scratch / "cut.log", log_of_cut.substr(0, log_of_cut.size() - 1));  // as an editor may leave it
  const Outcome rest = run(command("cut.json"));
  CHECK_MESSAGE(rest.status == 0, rest.err);
  CHECK(contains(rest.out, "run " + std::to_string(kept.size() + 1) + " of 6: "));
  CHECK_FALSE(contains(rest.out, "run " + std::to_string(kept.size()) + " of 6: "));
  const std::vector<std::string> all = lines_of(scratch / "cut.log");
  CHECK(all.size() == 6);
  CHECK(std::equal(kept.begin(), kept.end(), all.begin()));
  CHECK(table_of(rest.out) == table_of(whole.out));
  CHECK_FALSE(std::filesystem::exists(scratch / "cut.log.run"));

  const Outcome again = run(command("whole.json"));
  CHECK(again.out == table_of(whole.out));
  CHECK(run(command("whole.json") + Arguments{"--table"}).out == again.out);
  const std::string log = slurp(scratch / "whole.log");
  CHECK(contains(run(command("whole.json") + Arguments{"--table", "--set", "epochs=1"}).out, "| none | 0 |"));
  CHECK(slurp(scratch / "whole.log") == log);
}

TEST_CASE("ablate: errors name the fault in a file of variants, in a log, or in a run") {
  const Scratch scratch;
  const std::string file = scratch / "v.json", log = scratch / "v.log";
  const auto refused = [&](int status, const std::string& why, const Arguments& more = {}) {
    const Outcome o = run(Arguments{"ablate", file} + more);
    CHECK(o.status == status);
    CHECK_MESSAGE(contains(o.err, why), o.err);
  };
  refused(3, "v.json");
  for (const char* text : {"{}", "[]", R"({"variants": {}})", R"({"variants": {"a": {}}, "options": 1})"}) {
    save(file, text);
    refused(4, "v.json: must be {\"options\"");
  }
  save(file, R"({"variants": {"a": {"lr": [1]}}})");
  refused(4, "the variant \"a\" must be an object of options");
  save(file, R"({"variants": {"": {}}})");
  refused(4, "v.json: a variant's name must not be empty");
  save(file, R"({"variants": {"a": {"seed": 3}}})");
  refused(4, "v.json: the variant \"a\" must not have the option \"seed\"; leave it out");
  save(file, R"({"variants": {"a": {"lr": 1e9, "norm": "none", "model": "mlp:8", "samples": 300}}})");
  refused(2, "--set needs NAME=VALUE, got 'epochs'", {"--set", "epochs"});
  refused(2, "unknown option --ephocs; did you mean --epochs?", {"--set", "ephocs=1"});
  refused(2, "--set: --epochs: must be an integer", {"--set", "epochs=x"});
  save(file, R"({"variants": {"a": {"resume": "runs/a"}}})");
  refused(4, "the variant \"a\" must not have the option \"resume\"");
  save(file, R"({"variants": {"a": {"lr": 1e9, "norm": "none", "model": "mlp:8", "samples": 300}}})");
  refused(1, "diverged");  // nothing to compare with
  CHECK_FALSE(std::filesystem::exists(log));
  save(log, "{\"variant\": \"a\"}\n");
  refused(4, "v.log: line 1 must have a \"variant\", a \"seed\"");
  refused(2, "", {"--log", file});
}

TEST_CASE("ablate: a variant that cannot be trained is named before the first one is trained") {
  const Scratch scratch;
  const std::string file = scratch / "v.json", log = scratch / "v.log", run_config = scratch / "run/config.json";
  REQUIRE(run({"train", "--samples", "100", "--model", "mlp:4", "--epochs", "1", "--out", scratch / "run"}).status ==
          0);
  const auto written = [&](const std::string& last) {
    save(file, R"({"options": {"samples": 300, "model": "mlp:8", "epochs": 1}, "variants": {"a": {}, "the last": )" +
                   last + "}}");
    return run({"ablate", file, "--seeds", "2"});
  };
  for (const auto& [last_, status_, why_] :
       {std::tuple<std::string, int, std::string>{R"({"nrom": "none"})", 4,
                                                  "unknown option --nrom; did you mean --norm?"},
        {R"({"help": true})", 4, "the variant \"the last\" must not have the option \"help\""},
        {R"({"lr": "fast"})", 4, "--lr: must be a number above 0"},
        {R"({"augment": "maybe"})", 4, "--augment: must be true or false, got \"maybe\""},
        {R"({"model": "conv:8:3 dense:classes"})", 4, "put flatten or global_avgpool before it"},
        {R"({"norm": "bacth"})", 4, "did you mean batch?"},
        {R"({"optimizer": "adam"})", 4, "Known are adamw, muon, sgd"},
        {R"({"optimizer": "sgd:momentum=2"})", 4, "sgd's momentum"},
        {R"({"groups": "77.weight:lr=2"})", 4, "is the name of no parameter"},
        {R"({"schedule": "lin"})", 4, "there is no schedule \"lin\""},
        {R"({"warmup": 3})", 4, "must not be longer than the run"},
        {R"({"augment": true, "augmentation": "crop=x"})", 4, "--augmentation: crop "},
        {R"({"patience": 2})", 4, "--patience: needs held-out images"},
        {R"({"shards": 64})", 4, "--shards: each needs two images"},
        {R"({"freeze": 1000})", 4, "--freeze: the first 1000 layers"},
        {R"({"samples": 100000})", 4, "--samples: "},
        {R"({"recipe": "mnits"})", 4, "there is no recipe called \"mnits\"; did you mean mnist?"},
        {R"({"data": "kmnist"})", 3, "kmnist"},
        {R"({"config": "nowhere.json"})", 3, "nowhere.json"},
        {R"({"init": "./nowhere"})", 3, "nowhere"},
        {R"({"init": ")" + (scratch / "run/") + R"("})", 4, "shape"}}) {
    const std::string last = last_, why = why_;  // names that a lambda may capture
    const int status = status_;
    const Outcome o = written(last);
    CHECK_MESSAGE(o.status == status, last, o.err);
    CHECK_MESSAGE(contains(o.err, why), o.err);
    CHECK_MESSAGE((contains(o.err, "v.json: the variant \"the last\": ") || contains(last, "help")), o.err);
    CHECK(o.out.empty());
    CHECK_FALSE(std::filesystem::exists(log));
  }
  // With another run's options; and the weights of a file, whose network it takes.
  CHECK(written(R"({"config": ")" + run_config + R"("})").status == 0);
  save(file,
       R"({"options": {"samples": 300, "epochs": 1}, "variants": {"a": {"init": ")" + (scratch / "run/") + R"("}}})");
  const Outcome o = run({"ablate", file, "--seeds", "1", "--log", scratch / "other.log"});
  CHECK_MESSAGE(o.status == 0, o.err);
  // What is finished already is not looked at again, nor for the table alone.
  CHECK(run({"ablate", file, "--set", "data=kmnist", "--table"}).status == 0);
}
