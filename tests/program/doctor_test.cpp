// doctor, recalibrate and fold on a network that was just trained.
#include <doctest/doctest.h>

#include "tests/program/process.h"

namespace {

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("doctor, recalibrate and fold: a table with advice, statistics of the data, the same network without norms") {
  const Scratch scratch;
  REQUIRE(run({"train", "--data", "synthetic", "--model", "conv:4:3 norm act maxpool:4 flatten dense:16 norm act dense:classes", "--norm", "batch:new=0.001", "--epochs", "1", "--samples", "500", "--batch-size", "50", "--out",
               scratch / "run"}).status == 0);
  const std::string file = scratch / "run/best.safetensors";
  const Outcome sick = run({"doctor", file, "--samples", "500"});
  CHECK_MESSAGE(sick.status == 0, sick.err);
  for (const char* part : {"mean gap", "active (pred.)", "batch:new=0.001", "train against eval"}) CHECK_MESSAGE(has(sick.out, part), sick.out);

  const Outcome recalibrated = run({"recalibrate", file, "--samples", "500", "--out", scratch / "recalibrated.safetensors"});
  CHECK_MESSAGE(recalibrated.status == 0, recalibrated.err);
  CHECK(has(recalibrated.out, "2 layers recalibrated on 500 images"));
  const Outcome well = run({"doctor", scratch / "recalibrated.safetensors", "--samples", "500"});
  CHECK_MESSAGE(has(well.out, "0.000     0.000"), well.out);
  CHECK_FALSE(has(well.out, "run evenkeel recalibrate"));

  const Outcome folded = run({"fold", file, "--samples", "200", "--out", scratch / "folded.safetensors"});
  CHECK_MESSAGE(folded.status == 0, folded.err);
  CHECK(has(folded.out, "2 normalisations folded; on 200 images of synthetic"));
  CHECK(has(folded.out, "0 predictions change"));
  const auto accuracy = [](const std::string& path) { return last_line(run({"eval", path}).out); };
  CHECK(accuracy(scratch / "folded.safetensors") == accuracy(file));

  const Outcome nothing = run({"fold", scratch / "folded.safetensors", "--out", scratch / "again.safetensors"});
  CHECK(nothing.status == 2);
  CHECK(has(nothing.err, "has no batch normalisation"));
  CHECK(run({"doctor", scratch / "none.safetensors"}).status == 3);
  CHECK(run({"recalibrate", file}).status == 2);
}
