// What each command refuses: the status that --help names, and the words.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <regex>

#include "apps/formats/network_file.h"
#include "apps/formats/npz.h"
#include "tests/apps/process.h"
#include "tests/apps/tiny_data.h"

using namespace evenkeel;

namespace {

const std::string& images() {
  static const TinyData data(60, 20);
  return data.folder.path;
}
const Arguments on_images{"--data", "mnist", "--data-dir", images()};
// A run of three steps an epoch, with momentum and running averages.
const Arguments training_run =
    Arguments{"train", "--model", "flatten dense:4 norm act dense:classes", "--epochs", "2", "--batch-size", "20"} +
    on_images;

void refused(const Arguments& arguments, int status, const std::string& words) {
  const Outcome o = run(arguments);
  CHECK_MESSAGE(o.status == status, words, ": ", o.out, o.err);
  CHECK_MESSAGE(o.err.find("evenkeel: ") != std::string::npos, o.err);
  CHECK_MESSAGE(o.err.find(words) != std::string::npos, words, ": ", o.err);
}

struct Files {
  Files() {
    REQUIRE(run(training_run + Arguments{"--out", scratch / "run"}).status == 0);
    REQUIRE(run(training_run + Arguments{"--norm", "none", "--out", scratch / "none"}).status == 0);
  }
  // A copy of a run's checkpoint, changed, as a file of its own.
  std::string changed(const std::function<void(SafeTensors&)>& change) const {
    SafeTensors file = read_safetensors(last);
    change(file);
    write_safetensors(scratch / "changed.safetensors", file);
    return scratch / "changed.safetensors";
  }
  std::string metadata(const std::string& key, const std::string& value) const {
    return changed([&](SafeTensors& f) { f.metadata[key] = value; });
  }
  const Scratch scratch;
  const std::string last = scratch / "run/last.safetensors", plain = scratch / "none/last.safetensors";
};

}  // namespace

TEST_CASE("refusals: a network's file that does not say what is needed, or says what cannot be") {
  const Files files;
  for (const char* key :
       {"model", "norm", "activation", "init", "input", "classes", "seed", "data", "mean", "deviation"}) {
    const std::string file = files.changed([&](SafeTensors& f) { f.metadata.erase(key); });
    refused({"eval", file, "--data-dir", images()}, 4, "its metadata lack \"" + std::string(key) + "\"");
  }
  const auto bad = [&](const std::string& key, const std::string& value, const std::string& words) {
    const std::string file = files.metadata(key, value);
    refused({"eval", file, "--data-dir", images()}, 4, file + ": ");
    refused({"eval", file, "--data-dir", images()}, 4, words);
  };
  bad("classes", "ten", "its classes must be a list of numbers, got \"ten\"");
  bad("classes", "10;", "its classes must be a list of numbers");
  bad("seed", "-1", "its seed must be a list of numbers");
  bad("mean", "1,", "its mean must be a list of numbers, got \"1,\"");
  bad("mean", "1,2", "its mean and deviation must be one number a channel, got 2 and 1 for 1 channels");
  bad("deviation", "1,2", "its mean and deviation must be one number a channel, got 1 and 2 for 1 channels");
  bad("deviation", "0", "its deviation must be at least 1.2e-38, got 0");
  bad("deviation", "inf", "its deviation must be finite");
  bad("input", "28x28", "HEIGHTxWIDTHxCHANNELS");
  bad("model", "flatten dense:4 norm act dense:9", "must be one value a class");
  bad("model", "flatten dense:5 norm act dense:classes", "shape");
  refused({"eval", files.metadata("data", "cifar"), "--data-dir", images()}, 4,
          "there is no data set called \"cifar\"");
  // Of the right form, for other images than those there are.
  for (const char* command : {"eval", "doctor", "recalibrate", "fold"}) {
    Arguments a{command, files.last, "--data", "synthetic-color"};
    if (command[0] == 'r' || command[0] == 'f') a = a + Arguments{"--out", files.scratch / "new"};
    refused(a, 2, "is for 28x28x1 images of 10 classes, synthetic-color has 32x32x3 images of 10 classes");
  }
  CHECK(!std::filesystem::exists(files.scratch / "new"));
}

TEST_CASE(
    "refusals: what doctor, recalibrate, fold, eval, export and plot cannot do with a file or without an option") {
  const Files files;
  const std::string out = files.scratch / "new";
  const Arguments here{"--data-dir", images()};
  refused(Arguments{"doctor", files.plain} + here, 2, "must have a batch or renorm layer");
  refused(Arguments{"recalibrate", files.plain, "--out", out} + here, 2, "must have a batch or renorm layer");
  refused(Arguments{"fold", files.plain, "--out", out} + here, 2, "must have a batch norm right after");
  for (const char* command : {"recalibrate", "fold"}) {
    refused(Arguments{command, files.last} + here, 2, "--out is required");
    refused(Arguments{command, files.last, "--out", files.scratch / "no/such/file"} + here, 5, "no/such/file");
    refused({command, files.scratch / "none.safetensors", "--out", out}, 3, "none.safetensors");
  }
  for (const char* command : {"doctor", "recalibrate", "fold", "eval", "export"})
    refused({command}, 2, "FILE is required");
  refused(Arguments{"doctor", files.last, "--batch-size", "1"} + here, 2, "must be an integer from 2");
  refused(Arguments{"doctor", files.last, "--samples", "1"} + here, 2, "doctor: needs two or more images");
  refused(Arguments{"doctor", files.last, "--split", "half"} + here, 2, "must be train or test or all, got \"half\"");
  refused(Arguments{"doctor", files.last, "--lr", "0"} + here, 2, "must be a number above 0");
  refused(Arguments{"eval", files.last, "--samples", "21"} + here, 2,
          "must be at most 20, the number of images to draw from in mnist, got 21");
  refused(Arguments{"eval", files.last, "--split", "validation"} + here, 2, "must be test or train");
  refused(Arguments{"eval", files.last, "--logits", files.scratch / "no/such/file"} + here, 5, "no/such/file");
  std::filesystem::create_symlink("both", files.scratch / "link");
  for (const char* other : {"both", "./both", "link"})
    refused(Arguments{"eval", files.last, "--logits", files.scratch / "both", "--report", files.scratch / other} + here,
            2, "are one file; choose another name");
  CHECK(!std::filesystem::exists(files.scratch / "both"));
  refused({"eval", files.last, "--model", "mlp"}, 2, "eval: --model needs --data");
  refused({"eval", files.last, "--norm", "none"}, 2, "--norm requires --model");
  refused({"export", files.last, "--format", "pickle"}, 2, "must be safetensors or npz or onnx, got \"pickle\"");
  CHECK(!std::filesystem::exists(out));
  CHECK_THROWS_AS(format_npz({{"w", "BF16", {1}, "ab"}}), Error);
}

TEST_CASE("refusals: a command's result in the place of one of a run's files, and values that are empty") {
  const Files files;
  const std::string folder = files.scratch / "run";
  for (const char* name : {"last.safetensors", "best.safetensors", "config.json", "log.csv", "curves.svg"}) {
    const std::string before = slurp(folder + "/" + name);
    refused({"plot", files.scratch / "none", "--out", folder + "/" + name}, 2, "is a file of the run in its folder");
    refused({"export", files.plain, "--format", "npz", "--out", folder + "/" + name}, 2,
            "is a file of the run in its folder");
    CHECK(slurp(folder + "/" + name) == before);
  }
  CHECK(run({"plot", folder, "--out", folder + "/other.svg"}).status == 0);
  for (const char* option : {"--resume", "--config", "--recipe", "--out", "--data", "--groups"})
    refused({"train", option, ""}, 2, fmt::format("{}: must not be empty", option));
  refused({"train", "--init", "run"}, 2, "the name of a file or run needs a dot or a slash here: --init ./run");
  refused({"eval", ""}, 2, "FILE: must not be empty");
  refused({"eval", folder, "--report", ""}, 2, "--report: must not be empty");
  refused({"plot", folder, "--out", ""}, 2, "--out: must not be empty");
  refused({"plot", folder, ""}, 2, "RUN: must not be empty");
  refused({"predict", folder, ""}, 2, "IMAGE: must not be empty");
  CHECK(run({"plot", folder, "--title", "", "--out", files.scratch / "plain.svg"}).status == 0);
}

TEST_CASE("refusals: --resume with more --epochs that fails leaves the run unchanged") {
  const Files files;
  const std::string folder = files.scratch / "run", config = slurp(folder + "/config.json"), last = slurp(files.last);
  std::ofstream(folder + "/log.csv") << "nonsense";
  refused({"train", "--resume", folder, "--epochs", "5"}, 4, "log.csv");
  CHECK(slurp(folder + "/config.json") == config);
  CHECK(slurp(files.last) == last);
}

TEST_CASE("refusals: train") {
  const Files files;
  const Arguments out{"--out", files.scratch / "new"};
  const TinyData one(1, 5);
  refused({"train", "--data", "mnist", "--data-dir", one.folder.path, "--out", files.scratch / "new"}, 2,
          "1 images give no batch of 64");
  refused(training_run + out + Arguments{"--validation", "60"}, 2,
          "--validation: must be less than 60, the number of training images, got 60");
  refused(training_run + out + Arguments{"--samples", "61"}, 2,
          "must be at most 60, the number of images to draw from in mnist, got 61");
  refused(training_run + out + Arguments{"--warmup", "2.5"}, 2,
          "the warm-up must not be longer than the run, got 8 of 6 steps");
  refused(training_run + out + Arguments{"--schedule", "step:0"}, 2, "are positive");
  refused(training_run + out + Arguments{"--init", files.scratch / "none.safetensors"}, 3, "none.safetensors");
  refused(training_run + out + Arguments{"--batch-size", "1"}, 2,
          "--batch-size 1: a batch of 1 cannot be trained on: ");
  refused({"train", "--init", files.last, "--data", "synthetic-color", "--out", files.scratch / "new"}, 2,
          "it is for 28x28x1 images, those of synthetic-color are 32x32x3; to fit images of your own: --image-size "
          "28x28 --color gray\n");
  CHECK(!std::filesystem::exists(files.scratch / "new"));
  refused(training_run + Arguments{"--out", files.scratch / "run"}, 2, "is not empty; choose another --out");
  std::ofstream(files.scratch / "file") << "";
  refused(training_run + Arguments{"--out", files.scratch / "file"}, 5,
          "exists and is not a folder; choose another --out");
  refused(training_run + Arguments{"--out", files.scratch / "file/run"}, 5, files.scratch / "file/run");
  std::filesystem::create_directories(files.scratch / "odd/log.csv/in it");
  refused(training_run + Arguments{"--overwrite", "--out", files.scratch / "odd"}, 5,
          "cannot write " + files.scratch / "odd/log.csv: it is a folder, not a regular file");
  // --check refuses a folder where the run would end at once, and makes nothing.
  const Arguments check{"--check", "--out"};
  refused(training_run + check + Arguments{files.scratch / "file"}, 5,
          "exists and is not a folder; choose another --out");
  refused(training_run + check + Arguments{files.scratch / "file/sub/run"}, 5, "file is not a folder");
  refused(training_run + check + Arguments{files.scratch / "odd", "--overwrite"}, 5, "odd/log.csv: it is a folder");
  refused(training_run + check + Arguments{files.scratch / "run"}, 2, "is not empty; choose another --out");
  CHECK(run(training_run + check + Arguments{files.scratch / "new/deep/run"}).status == 0);
  CHECK(!std::filesystem::exists(files.scratch / "new"));
  std::filesystem::create_directory(files.scratch / "closed");
  std::filesystem::permissions(files.scratch.path, std::filesystem::perms(0755));
  std::filesystem::permissions(files.scratch / "closed", std::filesystem::perms(0555));
  Process closed({"train", "--samples", "100", "--check", "--out", files.scratch / "closed/run"}, {}, false, [] {
    if (geteuid() == 0 && setuid(65534) != 0) _exit(98);  // root may write everywhere
  });
  const Outcome said = closed.wait();
  CHECK(said.status == 5);
  CHECK_MESSAGE(contains(said.err, "closed/run: the folder cannot be created: Permission denied"), said.err);

  const std::string config = files.scratch / "config.json";
  const auto configured = [&](const std::string& text, const std::string& words) {
    std::ofstream(config) << text;
    refused({"train", "--config", config, "--out", files.scratch / "new"}, 4, config + ": ");
    refused({"train", "--config", config, "--out", files.scratch / "new"}, 4, words);
  };
  for (const char* text : {"", "{"}) configured(text, "it is not JSON");
  for (const char* text : {"[]", "{}", "{\"options\": 3}"})
    configured(text, "must be a JSON object with \"options\" in it");
  for (const char* text : {"null", "[1]", "{\"a\": 1}"})
    configured("{\"options\": {\"lr\": " + std::string(text) + "}}",
               "the option \"lr\" must be a text, a number, true or false");
  configured("{\"options\": {\"lr\": -1}}", "--lr: must be a number above 0");
  configured("{\"options\": {\"rate\": 1}}", "rate");
  refused({"train", "--config", files.scratch / "none.json"}, 3, "none.json");
  CHECK(!std::filesystem::exists(files.scratch / "new"));
}

TEST_CASE("refusals: --resume") {
  const Files files;
  const std::string folder = files.scratch / "run", again = files.scratch / "again";
  const auto resumed = [&](const Arguments& more, int status, const std::string& words) {
    refused(Arguments{"train", "--resume", folder} + more, status, words);
  };
  for (const Arguments& more :
       {Arguments{"--config", folder + "/config.json"}, {"--recipe", "mnist"}, {"--out", again}, {"--overwrite"}})
    resumed(more, 2, "leave out --config, --recipe, --out, --overwrite and --check");
  resumed({"--lr", "3"}, 2, "--resume: --lr is the folder's; only --epochs, --threads and --data-dir can be given");
  resumed({"--augment"}, 2, "--augment is the folder's");
  refused({"train", "--resume", files.scratch.path}, 3, "a run's folder has a config.json, this one has none");
  const SafeTensors good = read_safetensors(files.last);
  const auto state = [&](const std::string& from, const std::string& to, const std::string& words) {
    SafeTensors file = good;
    std::string& training = file.metadata.at("training");
    const std::string before = training;
    training = std::regex_replace(training, std::regex(from), to);
    REQUIRE_MESSAGE(training != before, training);
    write_safetensors(files.last, file);
    resumed({}, 4, words);
  };
  for (const char* key : {"epoch", "batch", "loss_sum", "correct", "seen", "test_correct", "best_epoch", "best_correct",
                          "best_test_correct"})
    state("\"" + std::string(key) + "\":", "\"other\":", "its \"training\" is wrong: ");
  state("\"epoch\":3", "\"epoch\":\"3\"", "its \"training\" is wrong: ");
  state("\\}$", "", "its \"training\" is wrong: ");
  state("\"epoch\":3", "\"epoch\":4", "it must stand within the run, 2 epochs of 3 batches, got epoch 4 after batch 0");
  state("\"epoch\":3", "\"epoch\":0", "no run can have reached");
  state("\"batch\":0", "\"batch\":4", "no run can have reached");
  state("\"batch\":0", "\"batch\":-1", "no run can have reached");
  const auto tensors = [&](const std::function<void(SafeTensors&)>& change, const std::string& words) {
    SafeTensors file = good;
    change(file);
    write_safetensors(files.last, file);
    resumed({}, 4, words);
  };
  tensors([](SafeTensors& f) { f.metadata.erase("training"); }, "its metadata lack \"training\"");
  tensors(
      [](SafeTensors& f) {
        std::erase_if(f.tensors, [](const auto& t) { return t.name == "evenkeel.velocity.1.weight"; });
      },
      "it must have evenkeel.velocity.1.weight, and has not");
  tensors(
      [](SafeTensors& f) {
        for (auto& t : f.tensors)
          if (t.name == "evenkeel.velocity.1.weight") std::swap(t.shape[0], t.shape[1]);
      },
      "evenkeel.velocity.1.weight must have shape (4, 784), got (784, 4)");
  tensors([](SafeTensors& f) { std::erase_if(f.tensors, [](const auto& t) { return t.name == "1.weight"; }); },
          "1.weight");
  write_safetensors(files.last, good);
  const std::string log = slurp(folder + "/log.csv");
  std::ofstream(folder + "/log.csv") << log.substr(0, log.find('\n', log.find('\n') + 1) + 1);
  resumed({}, 4, "log.csv: must have a row for each of the");
  std::filesystem::remove(folder + "/log.csv");
  resumed({}, 3, "log.csv");
  std::ofstream(folder + "/log.csv") << log;
  CHECK(run({"train", "--resume", folder}).status == 0);  // there is nothing left to do
  std::filesystem::remove(files.last);
  resumed({}, 3, "train --config " + folder + "/config.json --out " + folder + " --overwrite starts it again");
}

TEST_CASE("refusals: a run whose weights, or whose loss on images it has not trained on, are no longer finite") {
  const Scratch scratch;
  // Steps that multiply the weights by -1e18: the third has no finite result, which a loss could only show at the
  // fourth.
  const Outcome weights = run(Arguments{"train",
                                        "--model",
                                        "flatten dense:classes",
                                        "--norm",
                                        "none",
                                        "--init",
                                        "gaussian:1e-3",
                                        "--epochs",
                                        "1",
                                        "--batch-size",
                                        "20",
                                        "--lr",
                                        "1e9",
                                        "--optimizer",
                                        "sgd:weight_decay=1e9",
                                        "--clip",
                                        "1e-25",
                                        "--checkpoint-every",
                                        "3",
                                        "--schedule",
                                        "constant",
                                        "--out",
                                        scratch / "weights"} +
                              on_images);
  CHECK(weights.status == 1);
  CHECK_MESSAGE(weights.err.find("after epoch 1, step 3, weights are not finite") != std::string::npos, weights.err);

  // Two pixels that are as bright as the mean in every training image, and have weights as large as there are: nothing
  // to see before the test.
  const TinyData flat(20, 20);
  std::vector<uint8_t> trained, tested;
  for (int i = 0; i < 20 * 784; ++i) {
    trained.push_back(i % 784 < 2 ? 100 : static_cast<uint8_t>(i % 2 ? 50 : 150));
    tested.push_back(255);
  }
  save(flat.folder / "mnist/train-images-idx3-ubyte", idx({20, 28, 28}, trained));
  save(flat.folder / "mnist/t10k-images-idx3-ubyte", idx({20, 28, 28}, tested));
  ModelOptions m;
  m.model = "flatten dense:classes", m.norm = "none", m.input = {28, 28, 1};
  const auto network = make_model(m);
  const Tensor w = parameters(*network)[0].value;
  std::fill(w.detach().mutable_data(), w.detach().mutable_data() + w.size(), real(0));
  for (int64_t c = 0; c < 10; ++c)
    w.detach().mutable_data()[c * 784] = w.detach().mutable_data()[c * 784 + 1] =
        static_cast<real>(c % 2 ? 3e38 : -3e38);
  write_safetensors(scratch / "start.safetensors", pack_network(*network, {m, "mnist", {{100}, {50}}}));
  const Outcome loss = run({"train", "--data", "mnist", "--data-dir", flat.folder.path, "--model", m.model, "--norm",
                            "none", "--init", scratch / "start.safetensors", "--epochs", "1", "--optimizer",
                            "sgd:momentum=0.9", "--out", scratch / "loss"});
  CHECK(loss.status == 1);
  CHECK_MESSAGE(
      std::regex_search(
          loss.err,
          std::regex("the run diverged: after epoch 1, step 1, the loss on 20 images is (nan|inf). A smaller --lr")),
      loss.err);
  CHECK_MESSAGE(loss.err.find("Nothing was saved yet") != std::string::npos, loss.err);
}

TEST_CASE("refusals: bench, model, data, lab") {
  refused({"bench", "--workload", "W9"}, 2, "bench: there is no workload W9; there are W1, W2, W3, W4, W5, W6");
  refused({"bench", "--model", "mlp:8"}, 2, "--against and --model need a --workload");
  refused({"bench", "--against", "--", "true"}, 2, "--against and --model need a --workload");
  refused({"bench", "--workload", "W1", "--against"}, 2, "--against -- PROGRAM");
  refused({"bench", "--workload", "W1", "--compare", "--json"}, 2, "--compare takes neither");
  refused({"bench", "--compare", "--model", "mlp:8"}, 2, "--against and --model need a --workload");
  refused({"bench", "--workload", "W1", "--compare", "--norm", "layer"}, 2, "knows the norms none and batch");
  for (const char* more : {"--workload=W1", "--norm=layer"})
    refused({"bench", "--ops", more}, 2, "--ops takes neither --workload, --against, --norm nor --precision");
  refused({"bench", "--ops", "--compare", "--json"}, 2, "--compare takes neither");
  refused({"bench", "--ops", "--compare", "--rounds", "1", "--batch-size", "1", "--steps", "1", "--python", "true"}, 1,
          "must print a line of JSON with \"op\" and \"forward_ms\" for each op and exit with 0; it exited with 0");
  refused({"bench", "--workload", "W1", "--json", "--against", "--", "true"}, 2,
          "--against cannot be combined with --json");
  const Arguments small{"bench", "--workload", "W1", "--model",   "mlp:4", "--batch-size", "2", "--steps",
                        "1",     "--rounds",   "1",  "--against", "--"};
  const std::string words = "must print a line of JSON with \"ms\" and exit with 0; it exited with ";
  refused(small + Arguments{"echo", "fast"}, 1, words + "0 and printed 'fast'");
  refused(small + Arguments{"echo", "{\"ms\": \"1\"}"}, 1, words + "0");
  refused(small + Arguments{"sh", "-c", "echo '{\"ms\": 1}'; exit 3"}, 1, words + "3");
  for (const char* shape : {"32x32", "32x32x3x1", "x32x3", "32x32x", "0x1x1", "65537x1x1", "32,32,3", "32x32x3 "})
    refused({"model", "--input", shape}, 2, "HEIGHTxWIDTHxCHANNELS, as in 32x32x3, got \"" + std::string(shape) + "\"");
  refused({"model", "--model", "lenet5"}, 2,
          "there is no model or layer called \"lenet5\"; did you mean lenet? Known are");
  refused({"model", "--norm", "btch"}, 2, "there is no normalisation or layer called \"btch\"; did you mean batch?");
  refused({"model", "--activation", "rleu"}, 2, "there is no activation or layer called \"rleu\"; did you mean relu?");
  refused({"model", "--norm", "xyzzyx"}, 2, "called \"xyzzyx\". Known are");
  refused({"model", "--init", "zero"}, 2, "init");
  refused({"data"}, 2, "Try evenkeel data --help");
  refused({"data", "fetch"}, 2, "NAME is required");
  refused({"data", "fetch", "synthetic"}, 2, "there is nothing to fetch");
  refused({"data", "fetch", "mnist", "--mirror", "ftp://x"}, 2, "must be a URL");
  refused({"data", "list", "--mirror", "x"}, 2, "unknown option --mirror");
  if (std::filesystem::exists(EVENKEEL_PROGRAM "-lab"))  // the sanitisers' presets do not build it
    refused({"lab", "all", "transfrom"}, 2,
            "lab: there is no experiment called \"transfrom\"; did you mean transform?");
  // The program without its laboratory beside it.
  const Scratch scratch;
  std::filesystem::copy_file(EVENKEEL_PROGRAM, scratch / "evenkeel");
  CHECK(WEXITSTATUS(std::system((scratch / "evenkeel lab list 2>" + (scratch / "err")).c_str())) == 3);
  CHECK(slurp(scratch / "err").find("lab: cannot start " + scratch / "evenkeel-lab") != std::string::npos);
}
