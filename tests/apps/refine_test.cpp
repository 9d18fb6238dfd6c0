// Training that goes on from another network, or ends by itself: --init, --freeze, --patience, --average.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "apps/train/identity.h"
#include "apps/train/progress.h"
#include "apps/train/training_data.h"
#include "layers/model/checkpoint.h"
#include "layers/whiten.h"
#include "tests/apps/run_end.h"
#include "tests/apps/tiny_data.h"

namespace {

using evenkeel::SafeTensors, evenkeel::StoredTensor;

const TinyData& tiny_images() {
  static const TinyData data(96, 40);
  return data;
}

Arguments train(const Arguments& more) {
  return Arguments{"train",     "--data", "mnist",        "--data-dir", tiny_images().folder.path,
                   "--threads", "1",      "--batch-size", "16"} +
         more;
}

nlohmann::json options_of(const std::string& folder) {
  return nlohmann::json::parse(slurp(folder + "/config.json"))["options"];
}

const std::string two_blocks =
    "conv:3:3:stride=4 norm act residual(conv:3:3 norm act dropout:0.3) flatten dense:classes";

}  // namespace

TEST_CASE("refine: --init takes model, norm and activation from the file, but for what is given") {
  const Scratch scratch;
  REQUIRE(run(train({"--model", "mlp:8", "--norm", "layer", "--activation", "tanh", "--epochs", "1", "--out",
                     scratch / "first"}))
              .status == 0);
  const std::string file = scratch / "first/best.safetensors";
  const Outcome o = run(train({"--init", file, "--epochs", "1", "--out", scratch / "second"}));
  REQUIRE_MESSAGE(o.status == 0, o.err);
  CHECK_MESSAGE(o.err.find("--init " + file +
                           ": from the file, model flatten dense:8 norm act dense:classes, norm layer, "
                           "activation tanh\n") != std::string::npos,
                o.err);
  CHECK(options_of(scratch / "second")["norm"] == "layer");
  CHECK(options_of(scratch / "second")["activation"] == "tanh");
  // What is given is taken; and the run goes on where the file is gone.
  const Outcome given =
      run(train({"--init", file, "--activation", "relu", "--epochs", "1", "--out", scratch / "third"}));
  REQUIRE_MESSAGE(given.status == 0, given.err);
  CHECK(options_of(scratch / "third")["activation"] == "relu");
  CHECK(options_of(scratch / "third")["norm"] == "layer");
  auto network = evenkeel::read_safetensors(scratch / "third/last.safetensors").metadata;
  CHECK(network["activation"] == "relu");
  CHECK(network["norm"] == "layer");
  std::filesystem::remove(file);
  CHECK(run({"train", "--resume", scratch / "third", "--epochs", "2"}).status == 0);
}

TEST_CASE("refine: --freeze leaves weights and running averages of the first layers as they are, to the byte") {
  const Scratch scratch;
  REQUIRE(run(train({"--model", two_blocks, "--epochs", "1", "--out", scratch / "first"})).status == 0);
  const std::string file = scratch / "first/last.safetensors";
  const Outcome o =
      run(train({"--init", file, "--freeze", "4", "--optimizer", "sgd:momentum=0.9:weight_decay=0.1:decay_all=on",
                 "--average", "0.9", "--epochs", "2", "--out", scratch / "second"}));
  REQUIRE_MESSAGE(o.status == 0, o.err);
  CHECK_MESSAGE(o.err.find(" parameters of which ") != std::string::npos, o.err);
  const SafeTensors before = evenkeel::read_safetensors(file);
  for (const char* after : {"/last.safetensors", "/average.safetensors"}) {
    const SafeTensors now = evenkeel::read_safetensors(scratch / "second" + after);
    int frozen = 0, moved = 0;
    for (const StoredTensor& t : before.tensors) {
      if (t.name.starts_with(evenkeel::own_prefix)) continue;
      const bool same = now.find(t.name)->bytes == t.bytes;
      CAPTURE(t.name);
      CHECK(same == (t.name[0] < '4'));
      ++(same ? frozen : moved);
    }
    CHECK(frozen == 12);  // two convolutions and two norms with five tensors each
    CHECK(moved == 2);
  }
  const Outcome all = run(train({"--model", two_blocks, "--freeze", "6", "--out", scratch / "no"}));
  CHECK(all.status == 2);
  CHECK_MESSAGE(all.err.find("--freeze: the first 6 layers hold all weights") != std::string::npos, all.err);
}

TEST_CASE("refine: --patience ends a run that gets no better on the validation images, also a resumed one") {
  const Scratch scratch;
  // Steps too small to change an answer.
  const auto still = [&](const std::string& out) {
    return train({"--model", "mlp:4", "--validation", "20", "--patience", "2", "--lr", "1e-20", "--schedule",
                  "constant", "--norm", "none", "--epochs", "9", "--checkpoint-every", "1", "--out", out});
  };
  const Outcome o = run(still(scratch / "whole"));
  REQUIRE_MESSAGE(o.status == 0, o.err);
  const std::string last = last_line(o.out);
  CHECK_MESSAGE(last.find(" after 3 epochs, best ") != std::string::npos, last);
  CHECK_MESSAGE(last.ends_with("at epoch 1; ended early: no better on the validation images for 2 epochs"), last);
  const Outcome again = run({"train", "--resume", scratch / "whole"});  // it has ended, and stays so
  CHECK(last_line(again.out) == last);
  const Outcome none = run(train({"--patience", "2", "--out", scratch / "no"}));
  CHECK(none.status == 2);
  CHECK_MESSAGE(none.err.find("--patience: needs held-out images, --validation N") != std::string::npos, none.err);
}

TEST_CASE("refine: averaged weights have running averages of the training images, and the accuracy that is printed") {
  const Scratch scratch;
  const Outcome o = run(train({"--model", two_blocks, "--average", "0.9", "--epochs", "3", "--out", scratch / "run"}));
  REQUIRE_MESSAGE(o.status == 0, o.err);
  const std::string file = scratch / "run/average.safetensors";
  const Outcome eval = run({"eval", file, "--data-dir", tiny_images().folder.path});
  const std::string accuracy = last_line(eval.out);  // test accuracy A (N of 40)
  CHECK_MESSAGE(o.out.find("average of the weights, running averages over 96 images: " + accuracy) != std::string::npos,
                o.out);
  // Statistics that are those of the population already do not change.
  REQUIRE(run({"recalibrate", file, "--data-dir", tiny_images().folder.path, "--out", scratch / "again.safetensors"})
              .status == 0);
  const SafeTensors average = evenkeel::read_safetensors(file),
                    again = evenkeel::read_safetensors(scratch / "again.safetensors"),
                    last = evenkeel::read_safetensors(scratch / "run/last.safetensors");
  for (const StoredTensor& t : average.tensors) {
    if (t.name.starts_with(evenkeel::own_prefix)) continue;
    CAPTURE(t.name);
    const bool same = again.find(t.name)->bytes == t.bytes, moved = last.find(t.name)->bytes != t.bytes;
    CHECK(same);
    CHECK(moved);
  }
  // A later run without it leaves none behind.
  REQUIRE(run(train({"--model", "mlp:4", "--epochs", "1", "--overwrite", "--out", scratch / "run"})).status == 0);
  CHECK(!std::filesystem::exists(file));
}

TEST_CASE("refine: an average that keeps almost nothing is the last weights; whitening is fitted first") {
  const Scratch scratch;
  const Outcome o = run(train(
      {"--model", "whiten:2 flatten dense:classes", "--average", "1e-9", "--epochs", "1", "--out", scratch / "run"}));
  REQUIRE_MESSAGE(o.status == 0, o.err);
  const SafeTensors average = evenkeel::read_safetensors(scratch / "run/average.safetensors"),
                    last = evenkeel::read_safetensors(scratch / "run/last.safetensors");
  for (const char* name : {"0.weight", "0.bias", "2.weight", "2.bias"}) {
    const auto a = evenkeel::load(*average.find(name)).values(), b = evenkeel::load(*last.find(name)).values();
    for (size_t i = 0; i < a.size(); ++i) CHECK(a[i] == doctest::Approx(b[i]).epsilon(1e-5));
  }
  CHECK(evenkeel::load(*last.find(evenkeel::own_prefix + std::string("average_steps"))).item() == 6);
  evenkeel::Whiten fresh(1, 2);
  CHECK(last.find("0.weight")->bytes != evenkeel::capture(fresh).find("weight")->bytes);
}

TEST_CASE("train: the seed draws the --samples") {
  evenkeel::TrainOptions o;
  o.data = "mnist";
  o.data_dir = tiny_images().folder.path;
  o.samples = 40;
  const auto drawn = [&](uint64_t seed) {
    o.model.seed = seed;
    return evenkeel::load_training_data(o, {}).train.pixels;
  };
  CHECK(drawn(1) == drawn(1));
  CHECK(drawn(1) != drawn(2));
}

TEST_CASE("train: another pixel in any part of the data is another run") {
  evenkeel::TrainOptions o;
  o.data = "mnist";
  o.data_dir = tiny_images().folder.path;
  o.validation = 10;
  evenkeel::TrainingData data = evenkeel::load_training_data(o, {});
  evenkeel::Sequential network;
  const auto sum = [&] { return evenkeel::run_facts(o, network, {}, data)["images"]["crc32"]; };
  const auto before = sum();
  for (evenkeel::Dataset* part : {&data.train, &data.validation, &data.test}) {
    ++part->pixels[0];
    CHECK(sum() != before);
    --part->pixels[0];
  }
  CHECK(sum() == before);
}

TEST_CASE("progress: the live line begins with what is left, and fits 60, 80 and 200 columns") {
  const evenkeel::TrainState state{.epoch = 3, .batch = 31, .loss_sum = 850.5, .correct = 1200, .seen = 1984};
  const auto line = [&](size_t columns) { return evenkeel::training_line(state, 120, 50, 3725, 12345, columns); };
  CHECK(line(199) ==
        "ETA 1:02:05  epoch 3/120  training [############--------]  loss 0.4287  accuracy 0.6048  "
        "12,345 images/s");
  CHECK(line(79) == "ETA 1:02:05  epoch 3/120  training 62 %  loss 0.4287  accuracy 0.6048");
  CHECK(line(59) == "ETA 1:02:05  epoch 3/120  training 62 %  loss 0.4287");
  CHECK(line(20) == "ETA 1:02:05");
}

TEST_CASE("progress: what counts one thing says so; without a terminal one line after twenty steps says how long") {
  const Scratch scratch;
  const Outcome o = run(train({"--model", "mlp:4", "--epochs", "5", "--out", scratch / "run"}));  // 30 steps
  const size_t said = o.err.find("20 steps took ");
  REQUIRE_MESSAGE(said != std::string::npos, o.err);
  CHECK(o.err.find("20 steps took ", said + 1) == std::string::npos);
  CHECK(o.err.find(" to go\n") != std::string::npos);
  CHECK_MESSAGE(o.err.find("; 1 thread; ") != std::string::npos, o.err);
  const Outcome one = run(train({"--model", "mlp:4", "--epochs", "1", "--out", scratch / "one"}));
  CHECK_MESSAGE(last_line(one.out).find(" after 1 epoch, best") != std::string::npos, one.out);
  CHECK(one.err.find("20 steps") == std::string::npos);
}
