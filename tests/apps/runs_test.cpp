// evenkeel runs: the table, its order, the options in it, and what is no run.
#include <doctest/doctest.h>

#include <fstream>

#include "apps/report/run_record.h"
#include "tests/apps/process.h"
#include "tests/apps/tiny_data.h"

using namespace evenkeel;

namespace {

namespace fs = std::filesystem;

// Test accuracies of the epochs; where given, validation accuracies.
void save_run(const std::string& folder, const std::string& options, const std::vector<double>& test,
              const std::vector<double>& validation = {}) {
  fs::create_directories(folder);
  std::ofstream(folder + "/config.json") << "{\"options\": {" + options + "}}";
  if (test.empty()) return;
  std::vector<EpochRow> rows;
  for (size_t i = 0; i < test.size(); ++i) {
    rows.push_back({static_cast<int64_t>(i) + 1, 0.1, 1, 0.5, 1, test[i], 100, 1, {}, {}});
    if (!validation.empty()) rows[i].validation_loss = 1, rows[i].validation_accuracy = validation[i];
  }
  std::ofstream(folder + "/log.csv") << log_csv(rows, !validation.empty());
}

}  // namespace

TEST_CASE("runs: the best is first, the epoch is the one chosen by validation, and only what differs has a column") {
  const Scratch s;
  save_run(s / "runs/a", R"("epochs": 3, "lr": 0.1, "norm": "batch", "threads": 1, "data": "mnist")", {0.5, 0.9, 0.7});
  save_run(s / "runs/b", R"("epochs": 3, "lr": 0.2, "norm": "batch", "threads": 2, "data": "mnist", "clip": 1)",
           {0.8, 0.95, 0.85}, {0.6, 0.7, 0.9});
  save_run(s / "runs/c", R"("epochs": 5, "lr": 0.2, "norm": "batch", "threads": 2, "data": "mnist")", {0.6, 0.6});
  save_run(s / "runs/d", R"("epochs": 5, "lr": 0.2, "norm": "batch", "threads": 2, "data": "mnist")", {});
  const Outcome one = run({"runs", s / "runs/a"});
  CHECK(one.status == 0);
  CHECK(contains(one.out, "0.9000"));
  CHECK_FALSE(contains(one.out, "0.9500"));
  fs::create_directories(s / "runs/pictures");
  fs::create_directories(s / "runs/.hidden");
  save_run(s / "runs/odd", "", {0.1});
  std::ofstream(s / "runs/file.svg") << "x";
  const Outcome o = run({"runs", s / "runs"});
  REQUIRE_MESSAGE(o.status == 4, o.err);  // of odd; the others are there
  const auto table = words(o.out);
  REQUIRE(table.size() == 5);
  CHECK(table[0] ==
        Arguments{"run", "best", "test", "accuracy", "at", "epoch", "last", "trained", "clip", "epochs", "lr"});
  CHECK(table[1] == Arguments{"a", "0.9000", "2", "0.7000", "3", "-", "3", "0.1"});
  CHECK(table[2] == Arguments{"b", "0.8500", "3", "0.8500", "3", "1", "3", "0.2"});
  CHECK(table[3] == Arguments{"c", "0.6000", "1", "0.6000", "2", "of", "5,", "unfinished", "-", "5", "0.2"});
  CHECK(table[4] == Arguments{"d", "-", "-", "-", "0", "of", "5,", "unfinished", "-", "5", "0.2"});
  CHECK(o.err.find("runs/pictures is no run, skipped\n") != std::string::npos);
  CHECK(o.err.find("odd/config.json: its \"options\" must have \"epochs\"") != std::string::npos);
  CHECK(o.err.find("hidden") == std::string::npos);
  CHECK(o.err.find("file.svg") == std::string::npos);

  // Two epochs after the best one, of ten: the end of a run whose patience is two, not of one whose patience is three.
  save_run(s / "early/a", R"("epochs": 10, "patience": 2)", {0.5, 0.6, 0.5, 0.5}, {0.5, 0.6, 0.5, 0.6});
  save_run(s / "early/b", R"("epochs": 10, "patience": 3)", {0.4, 0.5, 0.4, 0.4}, {0.5, 0.6, 0.5, 0.6});
  const auto early = words(run({"runs", s / "early"}).out);
  REQUIRE(early.size() == 3);
  CHECK(early[1] == Arguments{"a", "0.6000", "2", "0.5000", "4", "2"});
  CHECK(early[2] == Arguments{"b", "0.5000", "2", "0.4000", "4", "of", "10,", "unfinished", "3"});

  // Newest first.
  const auto now = fs::file_time_type::clock::now();
  int age = 0;
  for (const char* name : {"c", "a", "b"})
    fs::last_write_time(s / "runs/" + name + "/log.csv", now - std::chrono::seconds(60 * age++));
  fs::last_write_time(s / "runs/d/config.json", now - std::chrono::seconds(600));
  const auto newest = words(run({"runs", s / "runs", "--sort", "newest"}).out);
  REQUIRE(newest.size() == 5);
  CHECK((newest[1][0] == "c" && newest[2][0] == "a" && newest[3][0] == "b" && newest[4][0] == "d"));

  // A damaged log, by file and line.
  const std::string log = slurp(s / "runs/a/log.csv");
  save_run(s / "one/a", R"("epochs": 3)", {0.5, 0.9, 0.7});
  std::ofstream(s / "one/a/log.csv") << log.substr(0, log.size() - 9);
  const Outcome damaged = run({"runs", s / "one"});
  CHECK(damaged.status == 4);
  CHECK(damaged.out.empty());
  CHECK_MESSAGE(contains(damaged.err, "one/a/log.csv: line 4 must have 8 columns, it has 7"), damaged.err);

  CHECK(run({"runs", s / "runs/pictures"}).status == 2);
  CHECK(run({"runs", s / "nowhere"}).status == 3);
  CHECK(run({"runs", s / "runs/file.svg"}).status == 4);
}

TEST_CASE("runs: those that the program has trained, at their best epochs; names cannot steer the terminal") {
  const TinyData tiny(40, 30);
  const Scratch s;
  const Arguments train{"train",   "--data", "mnist",        "--data-dir", tiny.folder.path,
                        "--model", "mlp:8",  "--batch-size", "8"};
  const Outcome first = run(train + Arguments{"--epochs", "3", "--out", s / "all/one"}),
                second = run(train + Arguments{"--epochs", "2", "--seed", "2", "--out", s / "all/t\x1b[2J\nwo"});
  REQUIRE_MESSAGE((first.status == 0 && second.status == 0), (first.err + second.err));
  const Outcome o = run({"runs", s / "all"});
  CHECK_MESSAGE(o.status == 0, o.err);
  CHECK(o.err.empty());
  CHECK(o.out.find('\x1b') == std::string::npos);
  const auto table = words(o.out);
  REQUIRE(table.size() == 3);
  CHECK(table[0] == Arguments{"run", "best", "test", "accuracy", "at", "epoch", "last", "trained", "epochs", "seed"});
  for (size_t i = 1; i < 3; ++i) {
    const bool one = table[i][0] == "one";
    const std::string end =
        last_line(one ? first.out : second.out);  // test accuracy A (...) after N epochs, best B at epoch E
    CHECK_MESSAGE(end.ends_with("best " + table[i][1] + " at epoch " + table[i][2]), end);
    CHECK(end.find("test accuracy " + table[i][3]) == 0);
    CHECK(table[i][4] == (one ? "3" : "2"));
    CHECK(table[i][6] == (one ? "1" : "2"));
  }
}
