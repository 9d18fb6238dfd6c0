// Every command that takes a trained network takes its file or the folder of its run.
#include <doctest/doctest.h>

#include "tests/apps/process.h"
#include "tests/apps/tiny_data.h"
#include "tests/data_files.h"
#include "tests/pictures.h"

namespace fs = std::filesystem;

TEST_CASE("run or file: each command reads best.safetensors of a run's folder, or last.safetensors, and says so") {
  const TinyData tiny(40, 20);
  const Scratch scratch;
  const std::string folder = scratch / "run";
  const Arguments data{"--data-dir", tiny.folder.path};
  const Arguments train{
      "train",    "--data", "mnist",        "--model", "conv:2:3:stride=9 norm act flatten dense:classes",
      "--epochs", "1",      "--batch-size", "8"};
  REQUIRE(run(train + data + Arguments{"--out", folder}).status == 0);
  fs::create_directory(scratch / "pictures");
  save(scratch / "pictures/1.png", png(ramp(28, 28, 1)));
  for (const std::string name : {"best", "last"}) {
    if (name == "last") fs::remove(folder + "/best.safetensors");
    const std::string file = folder + "/" + name + ".safetensors";
    const auto same = [&](const Arguments& before, const Arguments& after) {
      const Outcome by_file = run(before + Arguments{file} + after),
                    by_folder = run(before + Arguments{folder} + after);
      CAPTURE(before[0]);
      CHECK_MESSAGE(by_file.status == 0, by_file.err);
      CHECK_MESSAGE(by_folder.status == 0, by_folder.err);
      CHECK(by_file.out == by_folder.out);
      CHECK(by_folder.err == folder + ": reading its " + name + ".safetensors\n" + by_file.err);
    };
    same({"eval"}, data);
    same({"predict"}, {scratch / "pictures"});
    same({"doctor"}, data + Arguments{"--samples", "20", "--batch-size", "10"});
    same({"recalibrate"}, data + Arguments{"--out", scratch / "new.safetensors"});
    same({"fold"}, data + Arguments{"--out", folder + "/folded.safetensors"});
    same({"export"}, {"--format", "npz"});
    CHECK(fs::exists(folder + "/" + name + ".npz"));
    CHECK(run({"export", folder, "--format", "safetensors", "--out", file}).status == 2);
    const Outcome start = run(train + data + Arguments{"--init", folder, "--out", scratch / ("from-" + name)});
    CHECK_MESSAGE(start.err.find(folder + ": reading its " + name + ".safetensors") != std::string::npos, start.err);
  }
  const Outcome none = run({"eval", scratch / "pictures"});
  CHECK(none.status == 3);
  CHECK_MESSAGE(none.err.find("a run's folder has best.safetensors or last.safetensors, this one has neither") !=
                    std::string::npos,
                none.err);
}

TEST_CASE(
    "run or file: a run goes on by its last.safetensors as by its folder; another file is refused, with what to do") {
  const TinyData tiny(40, 20);
  const Scratch scratch;
  const std::string first = scratch / "first", second = scratch / "second", last = "/last.safetensors";
  const Arguments longer{"--epochs", "2", "--data-dir", tiny.folder.path};
  REQUIRE(run({"train", "--data", "mnist", "--data-dir", tiny.folder.path, "--model", "mlp:4", "--epochs", "1", "--out",
               first})
              .status == 0);
  fs::create_directory(second);
  fs::copy(first, second + "/.next");  // of a run that replaces an earlier one and has not done so yet
  const Outcome by_folder = run(Arguments{"train", "--resume", first} + longer),
                by_file = run(Arguments{"train", "--resume", second + "/.next" + last} + longer);
  CHECK_MESSAGE(by_folder.status == 0, by_folder.err);
  CHECK_MESSAGE(by_file.status == 0, by_file.err);
  CHECK(last_line(by_folder.out) == last_line(by_file.out));
  for (const std::string file : {"/last.safetensors", "/config.json"})
    CHECK(slurp(first + file) == slurp(second + file));
  CHECK(run({"train", "--resume", first + last}).status == 0);  // nothing is left to do

  const auto refused = [&](const std::string& file, int status, const std::string& words) {
    const Outcome o = run({"train", "--resume", file});
    CHECK(o.status == status);
    CHECK_MESSAGE(o.err.find(words) != std::string::npos, o.err);
  };
  const std::string best = first + "/best.safetensors", alone = scratch / "last.safetensors";
  refused(best, 2,
          "name that file or the run's folder, or start a new run from the weights of this file: --init " + best);
  fs::copy(first + last, alone);
  refused(alone, 3, "there is no config.json beside it, so this is not a run's folder");
  refused(scratch / "none.safetensors", 3, "there is no folder");
  fs::remove(first + last);
  refused(first + last, 3, "the run was stopped before it had saved a checkpoint");
}
