// The command line: help, suggestions, and the exit statuses of what goes wrong.
#include <doctest/doctest.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "layers/init.h"
#include "layers/model/spec.h"
#include "tests/apps/process.h"

namespace {

const Arguments one_epoch{"train", "--samples", "300", "--model", "mlp:8", "--epochs", "1"};

void check_usage(const Arguments& arguments, const std::string& said) {
  const Outcome o = run(arguments);
  CHECK(o.status == 2);
  CHECK(o.out.empty());
  CHECK_MESSAGE(contains(o.err, said), o.err);
  CHECK(o.err.starts_with("evenkeel: "));
}

}  // namespace

TEST_CASE("usage: no line of any command's help has more than 100 columns") {
  std::vector<Arguments> commands{{}};
  size_t continued = 0;
  for (size_t i = 0; i < commands.size(); ++i) {
    const Outcome help = run(commands[i] + Arguments{"--help"});
    REQUIRE(help.status == 0);
    bool names = false;  // whether the lines name commands
    std::istringstream lines(help.out);
    for (std::string line; std::getline(lines, line);) {
      CHECK_MESSAGE(std::ranges::count_if(line, [](char c) { return (c & 0xc0) != 0x80; }) <= 100, line);
      continued += line.starts_with(std::string(30, ' '));
      names = line == "Commands:" || (names && !line.empty());
      if (names && line.starts_with("  ") && line[2] != ' ')
        commands.push_back(commands[i] + Arguments{line.substr(2, line.find(' ', 2) - 2)});
    }
  }
  CHECK(commands.size() > 25);
  CHECK(continued > 100);
}

TEST_CASE("usage: help names every option with its default") {
  const Outcome top = run({"--help"});
  CHECK(top.status == 0);
  for (const char* command : {"train", "eval", "model", "data", "plot"}) CHECK(contains(top.out, command));
  const Outcome train = run({"train", "--help"});
  CHECK(train.status == 0);
  for (const char* option : {"--data NAME",
                             "--data-dir",
                             "--model MODEL",
                             "--norm LAYER",
                             "--activation",
                             "--init",
                             "--epochs N",
                             "--batch-size N",
                             "--lr NUMBER",
                             "--optimizer NAME",
                             "sgd[:momentum=0]",
                             "[:lookahead=0][:pull=0.5]",
                             "adamw[:beta1=0.9]",
                             "--schedule",
                             "--warmup",
                             "--clip",
                             "--augment",
                             "--label-smoothing",
                             "--seed",
                             "--threads",
                             "--validation",
                             "--samples",
                             "--out",
                             "--overwrite",
                             "--config",
                             "--resume"}) {
    CHECK_MESSAGE(contains(train.out, option), option);
  }
  for (const char* text : {"[synthetic]", "[lenet]", "[batch]", "[5]", "[64]", "0.24 of muon", "0.001 of adamw",
                           "[cosine]", "[runs/DATA-MODEL-NORM-SEED]", "Data:", "Network:", "Training:", "Running:"}) {
    CHECK_MESSAGE(contains(train.out, text), text);
  }
  CHECK(run({"--version"}).out.starts_with("evenkeel "));
}

TEST_CASE("usage: what is mistyped gets a suggestion") {
  check_usage({"train", "--ephocs", "3"}, "unknown option --ephocs; did you mean --epochs?");
  check_usage({"train", "--batchsize=3"}, "unknown option --batchsize; did you mean --batch-size?");
  check_usage({"trian"}, "unknown command \"trian\"; did you mean train?");
  check_usage({"data", "lsit"}, "did you mean list?");
  check_usage({"eval", "--dta", "mnist"}, "did you mean --data?");  // and not that FILE is missing
  check_usage({"train", "--data", "fashon-mnist"},
              "there is no data set called \"fashon-mnist\"; did you mean fashion-mnist?");
  check_usage({"train", "--model", "resnet2"}, "did you mean resnet20?");
  check_usage({"train", "--norm", "bacth"}, "did you mean batch?");
  check_usage({"train", "--activation", "rel"}, "did you mean relu?");
  check_usage({"train", "extra"}, "unexpected argument \"extra\"");
  check_usage({"train", "--out", "--overwrite"}, "--out: needs a value, but the option --overwrite follows");
  check_usage({"train", "--model", "--epochs", "1"}, "--model: needs a value, but the option --epochs follows");
  check_usage({"train", "--epochs", "--out", "x"}, "--epochs: needs a value, but the option --out follows");
  check_usage({}, "evenkeel --help");
}

TEST_CASE("usage: values out of range are refused, and what must hold is said") {
  check_usage({"train", "--lr", "0"}, "--lr: must be a number above 0");
  check_usage({"train", "--lr", "-1"}, "--lr: must be a number above 0");
  check_usage({"train", "--lr", "nan"}, "--lr: must be a number");
  check_usage({"train", "--lr", "inf"}, "--lr: must be a number");
  check_usage({"train", "--lr", "0.1x"}, "got \"0.1x\"");
  check_usage({"train", "--optimizer", "sgd:momentum=1"},
              "optimizer: sgd's momentum (v <- momentum v + gradient; w <- w - lr v) must be a number from 0 to below "
              "1, got '1'");
  check_usage({"train", "--optimizer", "adam"}, "there is no optimizer called \"adam\"; did you mean adamw?");
  check_usage({"train", "--optimizer", "sgd:decay=0.1"},
              "optimizer: 'sgd:decay=0.1' has an argument it does not know; it is written sgd[:momentum=0]");
  check_usage({"train", "--epochs", "0"}, "--epochs: must be an integer from 1");
  check_usage({"train", "--epochs", "1e3"}, "--epochs: must be an integer");
  check_usage({"train", "--epochs", "99999999999999999999"}, "--epochs: must be an integer");
  check_usage({"train", "--batch-size", "-5"}, "--batch-size: must be");
  check_usage({"train", "--seed", "-1"}, "--seed: must be an integer from 0");
  check_usage({"train", "--threads", "0"}, "--threads: must be an integer from 1");
  check_usage({"train", "--label-smoothing", "1"}, "--label-smoothing");
  check_usage({"train", "--schedule", "linear"}, "schedule");
  check_usage({"train", "--samples", "1000000"}, "--samples");
  check_usage({"train", "--samples", "10", "--validation", "10"}, "--validation");
  check_usage({"train", "--init", "small"}, "init");
  check_usage({"train", "--norm", "batch:new=2"}, "new");
  check_usage({"train", "--model", "conv:8:3 dense:classes"}, "flatten");
  check_usage({"train", "--epochs"}, "--epochs");
  check_usage({"model", "--input", "32x32"}, "HEIGHTxWIDTHxCHANNELS");
  check_usage({"model", "--input", "0x32x3"}, "HEIGHTxWIDTHxCHANNELS");
}

TEST_CASE("usage: of an option that is given twice the last value counts, in every command") {
  CHECK(contains(run({"model", "--classes", "5", "--classes=7"}).out, " 7 classes"));
  CHECK(contains(run({"--help"}).out, "If an option is given twice, the last value counts."));
  // The last value is bad, and is refused: so the last value is read.
  check_usage({"train", "--lr", "1", "--lr", "x"}, "--lr: must be a number above 0 and at most 1000000000, got \"x\"");
  for (const auto& [command_, option_] : {std::pair<Arguments, std::string>{{"eval", "x"}, "--samples"},
                                          {{"doctor", "x"}, "--lr"},
                                          {{"recalibrate", "x", "--out", "y"}, "--samples"},
                                          {{"bench"}, "--steps"},
                                          {{"ablate", "x"}, "--seeds"},
                                          {{"data", "show", "x"}, "--each"}})
    check_usage(command_ + Arguments{option_, "1", option_ + "=word"}, "got \"word\"");
}

TEST_CASE("usage: a missing value, command or word is said in our own words") {
  for (const char* option : {"--lr", "--epochs", "--model"}) {
    check_usage({"train", option}, option + std::string(": needs a value, and none follows"));
    check_usage({"train", option + std::string("=")}, option + std::string(": needs a value"));
  }
  check_usage({"train", "--overwrite=maybe"}, "--overwrite: must be true or false, got \"maybe\"");
  check_usage({"train", "--blas=2"}, "--blas: must be true or false, got \"2\"");
  check_usage({"bench", "--json=x"}, "--json: must be true or false");
  check_usage({"model", "--list=x"}, "--list: must be true or false");
  check_usage({"data"}, "a command is required: list, fetch, show, clear-cache");
  check_usage({}, "a command is required: train, ablate, ");
}

TEST_CASE("usage: the words of the little grammars are in the help, and in the message about a wrong one") {
  const std::string train = run({"train", "--help"}).out, model = run({"model", "--help"}).out;
  const auto one_line = [](std::string text) {
    for (size_t at; (at = text.find("\n   ")) != std::string::npos;)
      text.erase(at, text.find_first_not_of(" \n", at) - at - 1)[at] = ' ';
    return text;
  };
  for (const std::string& help : {one_line(train), one_line(model)})
    for (const char* words : {evenkeel::init_forms, "evenkeel model --list shows every layer and its arguments",
                              "relu, sigmoid, tanh, gelu, silu, softplus, leaky_relu, none",
                              "none, batch, renorm, layer, group:GROUPS, instance"})
      CHECK_MESSAGE(contains(help, words), words);
  check_usage({"model", "--init", "small"}, evenkeel::init_forms);
  const Arguments augment{"train", "--augment", "--augmentation"};
  check_usage(augment + Arguments{"crop=x"}, "evenkeel: --augmentation: crop (largest shift of the crop in pixels");
  check_usage(augment + Arguments{"border=white"}, "evenkeel: --augmentation: border must be one of black, reflect");
  check_usage(augment + Arguments{"crop=2:crop=3"}, "evenkeel: --augmentation: crop is given twice");
  check_usage(augment + Arguments{"bordr=black"},
              "evenkeel: --augmentation: 'bordr=black' has an argument it does not "
              "know; it is written [crop=PIXELS][:border=black|reflect]");
  check_usage(augment + Arguments{":crop=2"}, "':crop=2' has an empty argument; leave it out");
}

TEST_CASE("usage: what is missing, bad or cannot be written has a status of its own") {
  const Scratch scratch;
  // HOME and the rest point to where there is nothing.
  const Arguments nowhere{"HOME=" + scratch.path, "XDG_CACHE_HOME=" + scratch.path, "EVENKEEL_DATA=" + scratch.path};
  const Outcome missing = run({"train", "--data", "kmnist", "--out", scratch / "x"}, nowhere);
  CHECK(missing.status == 3);
  CHECK_MESSAGE(contains(missing.err, "kmnist"), missing.err);
  CHECK(run({"eval", scratch / "none.safetensors"}).status == 3);
  CHECK(run({"train", "--resume", scratch / "none"}).status == 3);
  CHECK(run({"plot", scratch / "none"}).status == 3);

  std::ofstream(scratch / "bad.safetensors") << "no checkpoint";
  const Outcome bad = run({"eval", scratch / "bad.safetensors"});
  CHECK(bad.status == 4);
  CHECK(contains(bad.err, "bad.safetensors"));
  REQUIRE(run(one_epoch + Arguments{"--out", scratch / "run"}).status == 0);
  std::string changed = slurp(scratch / "run/best.safetensors");
  changed[changed.size() - 5] ^= 1;
  std::ofstream(scratch / "changed.safetensors") << changed;
  CHECK(run({"eval", scratch / "changed.safetensors"}).status == 4);
  std::ofstream(scratch / "run/config.json") << "{\"options\": {\"lr\": \"fast\"}}";
  CHECK(run({"train", "--resume", scratch / "run"}).status == 4);
  CHECK(run({"eval", scratch / "run/best.safetensors", "--data", "synthetic-color"}).status == 2);

  std::ofstream(scratch / "file") << "";
  CHECK(run(one_epoch + Arguments{"--out", scratch / "file/run"}).status == 5);
  CHECK(run(one_epoch + Arguments{"--out", scratch / "file"}).status == 5);
  CHECK(run(one_epoch + Arguments{"--out", "/proc/evenkeel"}).status == 5);
}

TEST_CASE("usage: model and data print their tables") {
  const Outcome model = run({"model", "--model", "vgg", "--input", "32x32x3", "--classes", "10"});
  CHECK(model.status == 0);
  CHECK(contains(model.out, "conv:64:3"));
  CHECK(contains(model.out, "(32, 32, 64)"));
  CHECK(contains(model.out, "1,148,874"));
  CHECK(contains(model.out, "MFLOP"));
  const Outcome words = run({"model", "--list"});
  CHECK(words.status == 0);
  for (const std::string& name : evenkeel::model_names())
    CHECK_MESSAGE(contains(words.out, evenkeel::model_spec(name)), name);
  for (const auto& [name_, kind] : evenkeel::standard_vocabulary()) {
    const auto& name = name_;
    CHECK_MESSAGE(contains(words.out, "  " + kind.usage + "\n"), name);
  }
  const Outcome data = run({"data", "list"});
  CHECK(data.status == 0);
  CHECK(contains(data.out, "fashion-mnist"));
  CHECK(contains(data.out, "drawn"));
  const Scratch scratch;
  const Outcome fetched =
      run({"data", "fetch", "mnist", "--data-dir", scratch.path, "--mirror", "file://" + scratch.path + "/nothing"});
  if (std::system("command -v curl >/dev/null || command -v wget >/dev/null") == 0) {
    CHECK_MESSAGE(fetched.status == 5, fetched.err);
  } else {  // a bare Debian has neither
    CHECK(fetched.status == 3);
    CHECK(contains(fetched.err, "curl or wget must be installed"));
  }
  CHECK(std::filesystem::is_empty(scratch.path));
  check_usage({"data", "fetch", "mnits"}, "did you mean mnist?");
}
