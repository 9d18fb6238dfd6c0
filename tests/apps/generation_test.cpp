// A run that evenkeel 0.1.0 began: --resume refuses it, as it cannot go on to the same bits; its weights stay readable
// for good.
//
// tests/golden/run-0.1.0 is what 0.1.0 left of
//     evenkeel train --samples 2000 --batch-size 32 --epochs 100 --lr 0.02 --augment --norm batch --seed 7 --threads 1
//         --model "conv:8:5:stride=4 norm act maxpool dropout:0.1 flatten dense:classes"
// stopped by Ctrl-C in epoch 34; it said then: test accuracy 0.3565 (713 of 2000).
#include <doctest/doctest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <regex>

#include "layers/model/checkpoint.h"
#include "tests/apps/process.h"

namespace {

namespace fs = std::filesystem;
using evenkeel::SafeTensors, evenkeel::StoredTensor;

const std::string run_of_old = EVENKEEL_SOURCE_DIR "/tests/golden/run-0.1.0",
                  last_of_old = run_of_old + "/last.safetensors";

// Every weight and running average of 0.1.0's file is in the other one, to the bit; buffers only where told.
void check_same_weights(const std::string& path, bool running_averages) {
  const SafeTensors old = evenkeel::read_safetensors(last_of_old), now = evenkeel::read_safetensors(path);
  int compared = 0;
  for (const StoredTensor& t : old.tensors) {
    const bool average = t.name.find("running") != std::string::npos || t.name.find("tracked") != std::string::npos;
    if (t.name.starts_with(evenkeel::own_prefix) || (average && !running_averages)) continue;
    CAPTURE(t.name);
    const StoredTensor* same = now.find(t.name);
    REQUIRE(same);
    CHECK(same->shape == t.shape);
    CHECK(same->bytes == t.bytes);
    ++compared;
  }
  CHECK(compared == (running_averages ? 8 : 5));
}

}  // namespace

TEST_CASE(
    "a run of 0.1.0 is refused by --resume, which says that it cannot go on to the same bits, and stays as it was") {
  const Scratch scratch;
  const std::string folder = scratch / "run";
  fs::copy(run_of_old, folder);
  const Outcome refused = run({"train", "--resume", folder});
  CHECK(refused.status == 4);
  CHECK_MESSAGE(
      refused.err.find(
          folder +
          "/last.safetensors: the run cannot be resumed to the same bits: it is of generation 1, this program of "
          "generation 2, with other random streams") != std::string::npos,
      refused.err);
  for (const char* file : {"config.json", "last.safetensors", "log.csv"})
    CHECK(slurp(folder + "/" + file) == slurp(run_of_old + "/" + file));
}

TEST_CASE("a run of this program goes on; the same state with another generation does not") {
  const Scratch scratch;
  const std::string out = scratch / "run", last = out + "/last.safetensors";
  const Outcome made = run({"train", "--samples", "40", "--batch-size", "20", "--epochs", "1", "--model",
                            "flatten dense:classes", "--out", out});
  REQUIRE_MESSAGE(made.status == 0, made.err);
  CHECK(run({"train", "--resume", out}).status == 0);
  SafeTensors file = evenkeel::read_safetensors(last);
  for (const char* generation : {"1", "3", "", "two"}) {
    CAPTURE(generation);
    file.metadata["generation"] = generation;
    evenkeel::write_safetensors(last, file);
    const Outcome refused = run({"train", "--resume", out});
    CHECK(refused.status == 4);
    CHECK(refused.err.find("cannot be resumed to the same bits") != std::string::npos);
  }
}

TEST_CASE("eval reads the weights of a run of 0.1.0") {
  const Outcome read = run({"eval", last_of_old});
  REQUIRE_MESSAGE(read.status == 0, read.err);
  std::smatch said;
  REQUIRE(std::regex_search(read.out, said, std::regex("test accuracy ([0-9.]+) \\([0-9]+ of 2000\\)")));
  // The drawn test images are others now: four standard errors of a difference of two such figures.
  CHECK(std::abs(std::stod(said[1]) - 0.3565) < 4 * std::sqrt(2 * 0.3565 * 0.6435 / 2000));
}

TEST_CASE("export reads the weights of a run of 0.1.0") {
  const Scratch scratch;
  for (const char* format : {"safetensors", "npz", "onnx"}) {
    const std::string out = scratch / format;
    const Outcome wrote = run({"export", last_of_old, "--format", format, "--out", out});
    CHECK_MESSAGE(wrote.status == 0, wrote.err);
    CHECK(fs::file_size(out) > 3000);
  }
  check_same_weights(scratch / "safetensors", true);
}

TEST_CASE("--init reads the weights of a run of 0.1.0") {
  const Scratch scratch;
  const std::string out = scratch / "run";
  const Outcome trained = run({"train", "--init", last_of_old, "--model",
                               "conv:8:5:stride=4 norm act maxpool dropout:0.1 flatten dense:classes", "--norm",
                               "batch", "--samples", "20", "--epochs", "1", "--lr", "1e-30", "--out", out});
  REQUIRE_MESSAGE(trained.status == 0, trained.err);
  check_same_weights(out + "/last.safetensors", false);  // a step of 1e-30 moves no weight
}

TEST_CASE("a config.json of 0.1.0 starts a run whose optimiser is the one that its four options described") {
  const Scratch scratch;
  const Outcome o = run(
      {"train", "--config", run_of_old + "/config.json", "--epochs", "1", "--samples", "64", "--out", scratch / "run"});
  REQUIRE_MESSAGE(o.status == 0, o.err);
  const auto options = nlohmann::json::parse(slurp(scratch / "run/config.json"))["options"];
  CHECK(options["optimizer"] == "sgd:momentum=0.9:weight_decay=0.0005");
  CHECK(options["lr"] == 0.02);
  CHECK(!options.contains("momentum"));
  std::ofstream(scratch / "own.json") << R"({"options": {"nesterov": true, "decay-all": true, "momentum": 0.8}})";
  const Outcome own = run({"train", "--config", scratch / "own.json", "--epochs", "1", "--samples", "64", "--model",
                           "mlp:4", "--out", scratch / "own"});
  REQUIRE_MESSAGE(own.status == 0, own.err);
  CHECK(nlohmann::json::parse(slurp(scratch / "own/config.json"))["options"]["optimizer"] ==
        "sgd:momentum=0.8:weight_decay=0.0005:nesterov=on:decay_all=on");
}
