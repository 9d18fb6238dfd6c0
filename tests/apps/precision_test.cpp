// --precision bf16: on a processor that has it, part of the run, and an option of eval; on another, refused.
#include <doctest/doctest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/ops/matmul.h"
#include "tests/apps/process.h"

using namespace evenkeel;

TEST_CASE("train --precision bf16 is in config.json and in the checkpoint, and --resume keeps to it") {
  const Scratch folder;
  const std::string first = folder / "run";
  const auto train = [&](const Arguments& more) {
    return run(Arguments{"train", "--samples", "200", "--model", "conv:8:3 norm act maxpool:4 flatten dense:classes"} +
               more);
  };
  const Outcome both = train({"--precision", "bf16", "--blas", "--out", first});
  CHECK(both.status == 2);
  CHECK(contains(both.err, "--blas: OpenBLAS computes in float32, so it cannot be combined with --precision bf16"));
  const Outcome o = train({"--epochs", "1", "--precision", "bf16", "--out", first});
  if (!bf16_in_hardware()) {
    CHECK(o.status == 2);
    CHECK(o.err ==
          "evenkeel: --precision: bf16 needs a processor with AMX (amx_bf16 in /proc/cpuinfo), which this processor "
          "lacks; "
          "leave the option out\n");
    CHECK_FALSE(std::filesystem::exists(first));
    CHECK(run({"eval", first, "--precision", "bf16"}).err == o.err);
    return;
  }
  REQUIRE(o.status == 0);
  CHECK(nlohmann::json::parse(slurp(first + "/config.json"))["options"]["precision"] == "bf16");
  const Outcome exact = train({"--epochs", "1", "--out", folder / "exact"});
  REQUIRE(exact.status == 0);
  CHECK(slurp(first + "/last.safetensors") != slurp(folder / "exact/last.safetensors"));

  const auto logits = [&](const char* precision, const char* threads) {
    const std::string file = folder / fmt::format("{}-{}.npz", precision, threads);
    REQUIRE(run({"eval", first, "--precision", precision, "--threads", threads, "--logits", file}).status == 0);
    return slurp(file);
  };
  CHECK(logits("bf16", "1") == logits("bf16", "2"));
  CHECK(logits("bf16", "1") != logits("float32", "1"));

  const Outcome given = run({"train", "--resume", first, "--precision", "float32"});
  CHECK(given.status == 2);
  CHECK(contains(given.err, "--resume: --precision is the folder's"));

  // Two epochs in one go and in two; the number of threads does not matter.
  REQUIRE(train({"--epochs", "2", "--precision", "bf16", "--threads", "1", "--out", folder / "whole"}).status == 0);
  std::string config = slurp(folder / "whole/config.json");
  REQUIRE(train({"--epochs", "2", "--precision", "bf16", "--threads", "2", "--out", folder / "again"}).status == 0);
  CHECK(slurp(folder / "whole/last.safetensors") == slurp(folder / "again/last.safetensors"));

  // Without the option in config.json the checkpoint no longer belongs to it.
  const size_t at = config.find("\"precision\": \"bf16\"");
  REQUIRE(at != std::string::npos);
  config.replace(at, 19, "\"precision\": \"float32\"");
  std::ofstream(folder / "whole/config.json") << config;
  const Outcome changed = run({"train", "--resume", folder / "whole"});
  CHECK(changed.status == 2);
  CHECK(contains(changed.err, "options/precision: \"bf16\" there, \"float32\" now"));
}
