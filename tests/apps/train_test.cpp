// evenkeel train: what it prints, what it writes, and that this depends on the seed and on nothing else.
#include <doctest/doctest.h>
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>
#include <regex>

#include "apps/report/run_log.h"
#include "layers/model/safetensors.h"
#include "tests/apps/process.h"

namespace {

namespace fs = std::filesystem;

// A small network on few images: a fraction of a second.
const Arguments quick{"train", "--samples", "1000", "--model", "mlp:16", "--epochs", "2"};

}  // namespace

TEST_CASE("train: a run learns, and leaves behind what it should") {
  const Scratch scratch;
  const std::string out = scratch / "run";
  const Outcome o = run({"train", "--data", "synthetic", "--samples", "3000", "--model",
                         "conv:8:3:stride=2 norm act conv:16:3:stride=2 norm act flatten dense:classes", "--epochs",
                         "3", "--out", out});
  CHECK_MESSAGE(o.status == 0, o.err);
  std::smatch match;
  const std::string line = last_line(o.out);
  const std::regex form(
      R"(test accuracy (0\.\d{4}) \((\d+) of 2000\) after 3 epochs, best (0\.\d{4}) at epoch ([123]))");
  REQUIRE_MESSAGE(std::regex_match(line, match, form), line);
  CHECK(std::stod(match[1]) > 0.3);  // chance is 0.1
  CHECK(std::stod(match[1]) == doctest::Approx(std::stod(match[2]) / 2000).epsilon(1e-4));
  CHECK(std::stod(match[3]) >= std::stod(match[1]));
  // Rows and nothing else: no live line, no escape.
  CHECK(std::count(o.out.begin(), o.out.end(), '\n') == 1 + 3 + 1);
  CHECK(o.out.find('\r') == std::string::npos);
  CHECK((o.out + o.err).find('\x1b') == std::string::npos);

  const std::string log = slurp(out + "/log.csv");
  CHECK(log.starts_with("epoch,lr,train_loss,train_accuracy,test_loss,test_accuracy,images_per_second,seconds\n1,"));
  CHECK(std::count(log.begin(), log.end(), '\n') == 4);
  CHECK(slurp(out + "/curves.svg").starts_with("<svg"));
  const auto config = nlohmann::json::parse(slurp(out + "/config.json"));
  CHECK(config["options"]["epochs"] == 3);
  CHECK(config["options"]["optimizer"] == "sgd:momentum=0.9:weight_decay=0.0005");
  CHECK(config["options"]["lr"] == 0.05);
  CHECK(config["network"]["input"] == "28x28x1");
  CHECK(config["normalization"]["mean"].size() == 1);
  const evenkeel::SafeTensors best = evenkeel::read_safetensors(out + "/best.safetensors");
  CHECK(best.find("0.weight"));
  CHECK(best.metadata.at("data") == "synthetic");

  // What the checkpoint holds is what was reported.
  const Outcome last = run({"eval", out + "/last.safetensors", "--data", "synthetic"});
  CHECK(last.status == 0);
  CHECK(last_line(last.out) == fmt::format("test accuracy {} ({} of 2000)", match[1].str(), match[2].str()));
  const Outcome chosen = run({"eval", out + "/best.safetensors", "--batch-size", "7", "--threads", "1"});
  CHECK(last_line(chosen.out).starts_with("test accuracy " + match[3].str()));
}

TEST_CASE("train: the same bytes for any number of threads, others for another seed") {
  const Scratch scratch;
  const Arguments cnn{
      "train",        "--samples",
      "400",          "--augment",
      "--batch-size", "32",
      "--epochs",     "2",
      "--model",      "conv:6:3 norm act maxpool:2 conv:8:5 norm act dropout:0.2 flatten dense:classes"};
  const auto files = [&](const std::string& name, const std::string& seed, const std::string& threads) {
    const Outcome o = run(cnn + Arguments{"--seed", seed, "--threads", threads, "--out", scratch / name});
    CHECK_MESSAGE(o.status == 0, o.err);
    return std::pair(slurp(scratch / name + "/last.safetensors"), slurp(scratch / name + "/best.safetensors"));
  };
  const auto one = files("1", "1", "1");
  CHECK(one.first.size() > 1000);
  CHECK(files("2", "1", "2") == one);
  CHECK(files("3", "1", "3") == one);
  CHECK(files("8", "1", "8") == one);
  const auto other = files("other", "2", "1");
  CHECK(other.first != one.first);
  CHECK(other.second != one.second);
}

TEST_CASE("train: config.json runs it again") {
  const Scratch scratch;
  REQUIRE(run(quick + Arguments{"--lr", "0.013", "--augment", "--seed", "7", "--out", scratch / "a"}).status == 0);
  REQUIRE(run({"train", "--config", scratch / "a/config.json", "--out", scratch / "b"}).status == 0);
  CHECK(slurp(scratch / "a/last.safetensors") == slurp(scratch / "b/last.safetensors"));
  CHECK(slurp(scratch / "a/config.json") == slurp(scratch / "b/config.json"));
  REQUIRE(
      run({"train", "--config", scratch / "a/config.json", "--lr", "0.02", "--augment=false", "--out", scratch / "c"})
          .status == 0);
  const auto options = nlohmann::json::parse(slurp(scratch / "c/config.json"))["options"];
  CHECK(options["lr"] == 0.02);
  CHECK(options["augment"] == false);
  CHECK(options["seed"] == 7);
  // What is given beside it may change the images and the network.
  for (const Arguments& change : {Arguments{"--activation", "batch"},  // a layer with parameters
                                  {"--norm", "none"},
                                  {"--model", "mlp:5"},
                                  {"--validation", "10"},
                                  {"--samples", "30"},
                                  {"--seed", "8"},
                                  {"--data", "synthetic-color"}}) {
    const Outcome o =
        run(Arguments{"train", "--check", "--config", scratch / "a/config.json", "--out", scratch / "d"} + change);
    CHECK_MESSAGE(o.status == 0, o.err);
  }
}

TEST_CASE("train: every option has an effect") {
  const Scratch scratch;
  const std::vector<Arguments> variants{{},
                                        {"--lr", "0.04"},
                                        {"--optimizer", "sgd:momentum=0.8:weight_decay=0.0005"},
                                        {"--optimizer", "sgd:weight_decay=0.0005"},
                                        {"--optimizer", "sgd:momentum=0.9:weight_decay=0.0005:nesterov=on"},
                                        {"--augment"},
                                        {"--augment", "--augmentation", "crop=1"},
                                        {"--augment", "--augmentation", "border=reflect"},
                                        {"--optimizer", "muon"},
                                        {"--optimizer", "muon:other_momentum=0.5"},
                                        {"--optimizer", "muon:weight_decay=0.01"},
                                        {"--groups", "*.weight:lr=2"},
                                        {"--groups", "*.weight:decay=2"},
                                        {"--schedule", "linear:0=1,1=0"},
                                        {"--init", "uniform"},
                                        {"--clip", "0.1"},
                                        {"--optimizer", "sgd:momentum=0.9:weight_decay=0.01"},
                                        {"--optimizer", "sgd:momentum=0.9:weight_decay=0.0005:decay_all=on"},
                                        {"--optimizer", "adamw"},
                                        {"--optimizer", "adamw", "--lr", "0.002"},
                                        {"--optimizer", "adamw:beta1=0.8"},
                                        {"--optimizer", "adamw:beta2=0.99"},
                                        {"--optimizer", "adamw:eps=1e-4"},
                                        {"--optimizer", "adamw:weight_decay=0"},
                                        {"--optimizer", "adamw:decay_all=on"},
                                        {"--label-smoothing", "0.1"},
                                        {"--warmup", "1"},
                                        {"--schedule", "constant"},
                                        {"--schedule", "step:0.5"},
                                        {"--validation", "50"},
                                        {"--batch-size", "50"},
                                        {"--norm", "none"},
                                        {"--norm", "layer"},
                                        {"--norm", "batch:new=0.05"},
                                        {"--activation", "tanh"},
                                        {"--init", "gaussian:0.05"},
                                        {"--samples", "500"},
                                        {"--seed", "2"},
                                        {"--model", "mlp:9"}};
  std::map<std::string, std::string> seen;
  for (const Arguments& variant : variants) {
    std::string name = "variant";
    for (const std::string& word : variant) name += word;
    const Outcome o = run(
        Arguments{"train", "--samples", "400", "--model", "mlp:8", "--epochs", "2", "--out", scratch / name} + variant);
    REQUIRE_MESSAGE(o.status == 0, o.err);
    const evenkeel::SafeTensors file = evenkeel::read_safetensors(scratch / name + "/last.safetensors");
    std::string bytes;
    for (const evenkeel::StoredTensor& t : file.tensors) bytes += t.bytes;
    const auto placed = seen.emplace(bytes, name);
    CHECK_MESSAGE(placed.second, name, " is as ", placed.first->second);
  }
}

TEST_CASE("train: results are not written over unless asked") {
  const Scratch scratch;
  const std::string out = scratch / "run";
  REQUIRE(run(quick + Arguments{"--out", out}).status == 0);
  const std::string before = slurp(out + "/last.safetensors");
  const Outcome refused = run(quick + Arguments{"--seed", "2", "--out", out});
  CHECK(refused.status == 2);
  CHECK(refused.err.find("is not empty") != std::string::npos);
  CHECK(slurp(out + "/last.safetensors") == before);
  CHECK(run(quick + Arguments{"--seed", "2", "--out", out, "--overwrite"}).status == 0);
  CHECK(slurp(out + "/last.safetensors") != before);
}

TEST_CASE("train: --check names a fault in the options, and neither trains nor writes") {
  const Scratch scratch;
  const Arguments checked{"train", "--check", "--samples", "20", "--model", "mlp:4", "--out", scratch / "run"};
  const Outcome good = run(checked);
  CHECK_MESSAGE(good.status == 0, good.err);
  CHECK_MESSAGE(contains(good.err, "the run can begin"), good.err);
  CHECK(run(checked + Arguments{"--groups", "7.weight:lr=2"}).status == 2);
  CHECK(run(checked + Arguments{"--init", scratch / "no.safetensors"}).status == 3);
  CHECK_FALSE(std::filesystem::exists(scratch / "run"));
  CHECK(contains(run({"train", "--check", "--resume", scratch / "run"}).err, "leave out --config"));
}

TEST_CASE("train: a loss that is not finite stops the run and says where") {
  const Scratch scratch;
  const std::string out = scratch / "run";
  const Outcome o = run(quick + Arguments{"--norm", "none", "--lr", "1e6", "--schedule", "constant", "--out", out});
  CHECK(o.status == 1);
  const std::regex where(R"(diverged: in epoch 1, step \d+, the loss is (nan|inf); )"
                         R"(the first whose output is not finite is layer \d \(dense)");
  CHECK_MESSAGE(std::regex_search(o.err, where), o.err);
  CHECK(o.err.find("Nothing was saved yet") != std::string::npos);
  CHECK_FALSE(fs::exists(out + "/last.safetensors"));
  // Where it happens later, the checkpoint before it stays: here the learning rate grows until it is too large.
  const Outcome later = run(quick + Arguments{"--norm", "none", "--lr", "100", "--schedule", "constant", "--warmup",
                                              "1000", "--epochs", "1000", "--out", scratch / "later"});
  CHECK(later.status == 1);
  CHECK_MESSAGE(
      later.err.find("The last good checkpoint is " + scratch / "later/last.safetensors") != std::string::npos,
      later.err);
  CHECK(run({"eval", scratch / "later/last.safetensors"}).status == 0);
}

TEST_CASE(
    "train: a batch that is not finite is never averaged, the run stops and names the layer, and keeps its last good "
    "checkpoint") {
  const Scratch scratch;
  const Arguments network{"train",    "--samples", "300",
                          "--epochs", "1",         "--batch-size",
                          "50",       "--model",   "flatten dense:8 norm act dense:classes"};
  REQUIRE(run(network + Arguments{"--out", scratch / "good"}).status == 0);
  evenkeel::SafeTensors file = evenkeel::read_safetensors(scratch / "good/last.safetensors");
  const auto start_from = [&](float weight, const char* name, const Arguments& more) {
    evenkeel::SafeTensors changed = file;
    for (auto& t : changed.tensors) {
      if (t.name != name) continue;
      for (size_t i = 0; i < t.bytes.size(); i += sizeof weight)
        std::memcpy(t.bytes.data() + i, &weight, sizeof weight);
    }
    evenkeel::write_safetensors(scratch / "bad.safetensors", changed);
    return run(network + Arguments{"--init", scratch / "bad.safetensors", "--overwrite", "--out", scratch / "run"} +
               more);
  };
  // A variance that overflows: the normalised values are 0, and the loss is as finite as ever.
  const Outcome overflow = start_from(1e25f, "1.weight", {});
  CHECK(overflow.status == 1);
  CHECK_MESSAGE(overflow.err.find("step 1, layer 2 (batch) got a batch whose mean or variance is not finite") !=
                    std::string::npos,
                overflow.err);
  const Outcome large = start_from(3e38f, "2.weight", {});
  CHECK(large.status == 1);
  CHECK_MESSAGE(large.err.find("the first whose output is not finite is layer 2 (batch)") != std::string::npos,
                large.err);
  CHECK(!fs::exists(scratch / "run/last.safetensors"));
  // Steps that grow until it happens: what was saved before stays, and is good.
  const Outcome later = run(
      network + Arguments{"--norm", "none", "--model", "flatten dense:8 batch:affine=off act dense:8 act dense:classes",
                          "--lr", "1e9", "--clip", "1e30", "--schedule", "constant", "--warmup", "100000", "--epochs",
                          "100000", "--checkpoint-every", "1", "--out", scratch / "later"});
  CHECK(later.status == 1);
  CHECK_MESSAGE(
      later.err.find("The last good checkpoint is " + scratch / "later/last.safetensors") != std::string::npos,
      later.err);
  for (const auto& t : evenkeel::read_safetensors(scratch / "later/last.safetensors").tensors) {
    if (t.dtype != "F32") continue;
    for (size_t i = 0; i < t.bytes.size(); i += sizeof(float)) {
      float v;
      std::memcpy(&v, t.bytes.data() + i, sizeof v);
      REQUIRE_MESSAGE(std::isfinite(v), t.name);
    }
  }
}

TEST_CASE("train: Ctrl-C finishes the step, saves, and the run goes on to the same end") {
  const Scratch scratch;
  // 500 steps an epoch, so that a signal comes in the middle of one.
  const Arguments longer{"train",
                         "--samples",
                         "2000",
                         "--batch-size",
                         "4",
                         "--model",
                         "flatten dropout:0.1 dense:16 norm act dense:classes",
                         "--epochs",
                         "40",
                         "--seed",
                         "5"};
  REQUIRE(run(longer + Arguments{"--out", scratch / "whole"}).status == 0);
  const std::string out = scratch / "stopped";
  bool inside = false;  // an epoch: what is then needed is all that is saved
  for (int attempt = 0; attempt < 6 && !(inside && attempt >= 2); ++attempt) {
    Process process(attempt == 0 ? longer + Arguments{"--out", out} : Arguments{"train", "--resume", out});
    const std::string before = slurp(out + "/log.csv");
    REQUIRE(wait_until(process, [&] { return slurp(out + "/log.csv").size() > before.size() + 50; }));
    usleep(10'000u << attempt);  // longer and longer, as slow disks take their time between two epochs
    const int signal = attempt == 0 ? SIGINT : SIGTERM;
    process.send(signal);
    const Outcome o = process.wait();
    CHECK_MESSAGE(o.status == 128 + signal, o.err);
    CHECK(o.err.find("saved " + out + "/last.safetensors") != std::string::npos);
    CHECK(run({"eval", out + "/last.safetensors"}).status == 0);
    inside = inside || !std::regex_search(o.err, std::regex("after (0|500) of 500 steps"));
  }
  CHECK(inside);
  const Outcome resumed = run({"train", "--resume", out, "--threads", "1"});
  CHECK_MESSAGE(resumed.status == 0, resumed.err);
  for (const char* file : {"/last.safetensors", "/best.safetensors", "/config.json"}) {
    CHECK_MESSAGE(slurp(out + file) == slurp(scratch / "whole" + file), file);
  }
  const auto without_times = [](const std::string& log) {
    return std::regex_replace(log, std::regex(",[^,\n]*,[^,\n]*\n"), "\n");
  };
  CHECK(without_times(slurp(out + "/log.csv")) == without_times(slurp(scratch / "whole/log.csv")));
  CHECK(run({"train", "--resume", out, "--lr", "1"}).status == 2);
}

TEST_CASE("train: on a terminal there is a live line, and colours unless NO_COLOR is set") {
  const Scratch scratch;
  const Outcome color = Process(quick + Arguments{"--out", scratch / "a"}, {"TERM=xterm", "NO_COLOR="}, true).wait();
  CHECK(color.status == 0);
  CHECK(color.out.find("\rETA ") != std::string::npos);
  CHECK(color.out.find("images/s") != std::string::npos);
  CHECK(color.out.find('\x1b') != std::string::npos);
  const Outcome plain = Process(quick + Arguments{"--out", scratch / "b"}, {"TERM=xterm", "NO_COLOR=1"}, true).wait();
  CHECK(plain.out.find("\rETA ") != std::string::npos);
  CHECK(plain.out.find('\x1b') == std::string::npos);
  const Outcome dumb = Process(quick + Arguments{"--out", scratch / "c"}, {"TERM=dumb"}, true).wait();
  CHECK(dumb.out.find("\rETA ") == std::string::npos);
}
