// evenkeel train --shards: the result depends on the number of shards, on nothing else.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <regex>

#include "tests/apps/process.h"
#include "tests/apps/run_end.h"
#include "tests/apps/tiny_data.h"

namespace {

// Everything that looks at a whole batch or has a state; the last batch of an epoch has 7 images.
const Arguments& sharded_run() {
  static const TinyData data(76, 40);
  static const Arguments run{"train",
                             "--data",
                             "mnist",
                             "--validation",
                             "5",
                             "--data-dir",
                             data.folder.path,
                             "--batch-size",
                             "16",
                             "--epochs",
                             "2",
                             "--augment",
                             "--warmup",
                             "1",
                             "--clip",
                             "0.5",
                             "--average",
                             "0.9",
                             "--model",
                             "conv:3:3:stride=4 norm act dropout:0.2 flatten dense:classes"};
  return run;
}

}  // namespace

TEST_CASE("shards: one network, whatever number of threads trains it") {
  const Scratch scratch;
  for (const char* norm : {"batch", "batch:local=on", "renorm:start=2:rend=6:dend=4"}) {
    CAPTURE(norm);
    const Arguments train = sharded_run() + Arguments{"--shards", "3", "--norm", norm, "--overwrite"};
    const Outcome one = run(train + Arguments{"--threads", "1", "--out", scratch / "one"});
    REQUIRE_MESSAGE(one.status == 0, one.err);
    REQUIRE(run(train + Arguments{"--threads", "3", "--out", scratch / "three"}).status == 0);
    for (const char* file : {"/last.safetensors", "/best.safetensors", "/average.safetensors"})
      CHECK((slurp(scratch / "one" + file) == slurp(scratch / "three" + file)));
    CHECK(without_times(slurp(scratch / "one/log.csv")) == without_times(slurp(scratch / "three/log.csv")));
    CHECK(nlohmann::json::parse(slurp(scratch / "one/config.json"))["options"]["shards"] == 3);
  }
}

TEST_CASE("shards: as many belong to the run: a resumed one has them, and no other number") {
  const Scratch scratch;
  const Arguments train = sharded_run() + Arguments{"--shards", "2", "--threads", "2"};
  REQUIRE(run(train + Arguments{"--out", scratch / "whole"}).status == 0);
  REQUIRE(run(train + Arguments{"--epochs", "1", "--schedule", "constant", "--out", scratch / "part"}).status == 0);
  const Outcome other = run({"train", "--resume", scratch / "part", "--epochs", "2", "--shards", "4"});
  CHECK(other.status == 2);
  CHECK(contains(other.err, "--resume: --shards is the folder's"));
  REQUIRE(run(train + Arguments{"--schedule", "constant", "--out", scratch / "constant"}).status == 0);
  REQUIRE(run({"train", "--resume", scratch / "part", "--epochs", "2"}).status == 0);
  CHECK((slurp(scratch / "part/best.safetensors") == slurp(scratch / "constant/best.safetensors")));
  const std::string config = slurp(scratch / "part/config.json");
  std::ofstream(scratch / "part/config.json")
      << std::regex_replace(config, std::regex("\"shards\": 2"), "\"shards\": 4");
  const Outcome edited = run({"train", "--resume", scratch / "part", "--epochs", "3"});
  CHECK(edited.status == 2);
  CHECK(contains(edited.err, "options/shards: 2 there, 4 now"));
}

TEST_CASE("shards: each needs two images") {
  const Scratch scratch;
  const Outcome small = run(sharded_run() + Arguments{"--shards", "9", "--out", scratch / "small"});
  CHECK(small.status == 2);
  CHECK(contains(small.err, "--shards: each needs two images of a batch, but 9 shards must share 16"));
}
