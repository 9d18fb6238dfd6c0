// Every option of eval, model, export, data and bench changes something that is seen here; the command of a config.json
// runs again.
#include <doctest/doctest.h>
#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>
#include <sstream>

#include "apps/bench/bench.h"
#include "apps/formats/network_file.h"
#include "data/catalogue/load.h"
#include "tests/apps/npz_array.h"
#include "tests/apps/process.h"
#include "tests/apps/tiny_data.h"

using namespace evenkeel;

namespace {

const TinyData& tiny() {
  static const TinyData data(60, 23);
  return data;
}

}  // namespace

TEST_CASE("train: the command in config.json, given to a shell, gives the same bytes") {
  const Scratch scratch;
  const std::string odd = scratch / "it's a $HOME; \"folder\" &c";
  std::filesystem::create_directories(odd);
  std::filesystem::copy(tiny().folder / "mnist", odd + "/mnist");
  const std::string out = scratch / "run";
  REQUIRE(run({"train",
               "--data",
               "mnist",
               "--data-dir",
               odd,
               "--model",
               "flatten 2*(dense:6 norm act) dense:classes",
               "--norm",
               "batch:new=0.3",
               "--epochs",
               "2",
               "--batch-size",
               "16",
               "--optimizer",
               "adamw:beta2=0.99",
               "--clip",
               "0.7",
               "--schedule",
               "step:0.5,1:0.3",
               "--label-smoothing",
               "0.05",
               "--seed",
               "18446744073709551615",
               "--threads",
               "1",
               "--out",
               out})
              .status == 0);
  const auto config = nlohmann::json::parse(slurp(out + "/config.json"));
  CHECK(config["options"]["seed"] == 18446744073709551615u);
  CHECK(config["options"]["optimizer"] == "adamw:beta2=0.99");
  CHECK(config["options"]["augment"] == false);
  CHECK(config["options"]["lr"] == 0.001);
  const std::string command = config["command"];
  REQUIRE(command.starts_with("evenkeel train "));
  std::filesystem::create_symlink(EVENKEEL_PROGRAM, scratch / "evenkeel");
  REQUIRE(setenv("PROGRAM_FOLDER", scratch.path.c_str(), 1) == 0);
  const std::string line = "PATH=\"$PROGRAM_FOLDER:$PATH\" " + command +
                           " --out \"$PROGRAM_FOLDER/again\" >/dev/null 2>\"$PROGRAM_FOLDER/err\"";
  CHECK_MESSAGE(std::system(line.c_str()) == 0, slurp(scratch / "err"));
  for (const char* file : {"/last.safetensors", "/best.safetensors", "/config.json"})
    CHECK_MESSAGE(slurp(scratch / "again" + file) == slurp(out + file), file);
}

TEST_CASE("train: without --out the folder is named after data, model, norm and seed") {
  const Scratch scratch;
  const auto made = [&](const Arguments& more) {
    const Outcome o =
        run(Arguments{"train", "--data", "mnist", "--data-dir", tiny().folder.path, "--epochs", "1", "--threads", "3"} +
            more);
    CHECK_MESSAGE(o.status == 0, o.err);
    CHECK(o.err.find("; 3 threads; into") != std::string::npos);
    const size_t begin = o.err.find("wrote ") + 6;
    return o.err.substr(begin, o.err.find(": best", begin) - begin);
  };
  CHECK(made({"--model", "mlp:4", "--norm", "layer", "--seed", "7"}) == "runs/mnist-mlp_4-layer-7");
  CHECK(made({"--model", "flatten dense:classes", "--norm", "batch:new=0.1"}) ==
        "runs/mnist-flatten_dense_classes-batch_new=0.1-1");
}

TEST_CASE("eval: the logits and labels it writes are the network's, in the images' order") {
  const Scratch scratch;
  const Arguments data{"--data-dir", tiny().folder.path};
  REQUIRE(run(Arguments{"train", "--data", "mnist", "--model", "conv:3:3:stride=4 norm act flatten dense:classes",
                        "--epochs", "1", "--out", scratch / "run"} +
              data)
              .status == 0);
  const std::string file = scratch / "run/last.safetensors", npz = scratch / "logits.npz";
  for (const auto& [split_, count] : {std::pair{"test", int64_t{23}}, {"train", int64_t{60}}}) {
    const auto& split = split_;
    CAPTURE(split);
    const Outcome o = run(Arguments{"eval", file, "--logits", npz, "--batch-size", "9", "--split", split} + data);
    REQUIRE_MESSAGE(o.status == 0, o.err);
    const DataSplit sets = load_dataset("mnist", tiny().folder.path);
    const Dataset& images = count == 23 ? sets.test : sets.train;
    const Array logits = array_of(npz, "logits"), labels = array_of(npz, "labels");
    CHECK(logits.header.starts_with(
        fmt::format("{{'descr': '<f4', 'fortran_order': False, 'shape': ({},10,), }}", count)));
    CHECK(
        labels.header.starts_with(fmt::format("{{'descr': '<i8', 'fortran_order': False, 'shape': ({},), }}", count)));
    REQUIRE(logits.bytes.size() == static_cast<size_t>(count * 10) * sizeof(float));
    REQUIRE(labels.bytes.size() == static_cast<size_t>(count) * sizeof(int64_t));
    NetworkFile network = open_network(file, standard_vocabulary());
    Loader loader(images, network.info.normalization, {.batch_size = images.size(), .shuffle = false});
    loader.begin_epoch(0);
    Batch all;
    loader.next(all);
    const Recording off(false);
    const Tensor expected = network.network->forward(all.x, Mode::eval);
    int64_t right = 0;
    for (int64_t i = 0; i < count; ++i) {
      int64_t label;
      std::memcpy(&label, labels.bytes.data() + static_cast<size_t>(i) * sizeof label, sizeof label);
      CHECK(label == images.labels[static_cast<size_t>(i)]);
      float row[10];
      std::memcpy(row, logits.bytes.data() + static_cast<size_t>(i) * sizeof row, sizeof row);
      for (int64_t c = 0; c < 10; ++c)
        CHECK(std::abs(row[c] - expected.data()[i * 10 + c]) <= 1e-5 * (1 + std::abs(row[c])));
      right += std::max_element(row, row + 10) - row == label;
    }
    CHECK(last_line(o.out).ends_with(fmt::format("({} of {})", right, count)));
  }
}

TEST_CASE("model: shapes, parameters, multiplications and memory of every layer, counted by hand") {
  const Arguments network{
      "model",   "--model",      "conv:8:3:stride=2 norm act maxpool:2 flatten dense:50 act dense:classes",
      "--input", "32x24x3",      "--classes",
      "7",       "--batch-size", "16"};
  const auto check_rows = [](const Outcome& o, const std::vector<std::vector<std::string>>& expected) {
    REQUIRE_MESSAGE(o.status == 0, o.err);
    const auto rows = words(o.out);
    REQUIRE_MESSAGE(rows.size() >= expected.size(), o.out);
    for (size_t i = 0; i < expected.size(); ++i) CHECK_MESSAGE(rows[i] == expected[i], o.out);
  };
  // 16 x 12 pixels of 8 filters of 3 x 3 x 3: 41,472 multiplications, 0.083 million operations with the additions.
  const auto mib = [](int64_t values) {
    return fmt::format("{:.2f}", static_cast<double>(values) * 16 * 4 / (1 << 20));
  };
  const int64_t values = 3 * 1536 + 2 * 384 + 2 * 50 + 7;
  check_rows(run(network), {{"name", "layer", "output", "parameters", "MFLOP", "memory"},
                            {"0", "conv:8:3:stride=2", "(16,", "12,", "8)", "216", "0.083", mib(1536), "MiB"},
                            {"1", "batch", "(16,", "12,", "8)", "16", "0.000", mib(1536), "MiB"},
                            {"2", "relu", "(16,", "12,", "8)", "0", "0.000", mib(1536), "MiB"},
                            {"3", "maxpool:2", "(8,", "6,", "8)", "0", "0.000", mib(384), "MiB"},
                            {"4", "flatten", "(384)", "0", "0.000", mib(384), "MiB"},
                            {"5", "dense:50", "(50)", "19,250", "0.038", mib(50), "MiB"},
                            {"6", "relu", "(50)", "0", "0.000", mib(50), "MiB"},
                            {"7", "dense:7", "(7)", "357", "0.001", mib(7), "MiB"},
                            {"total", "19,839", "0.122", mib(values), "MiB"}});
  const Outcome o = run(network);
  CHECK_MESSAGE(o.out.find(fmt::format(
                    "input (32, 24, 3), 7 classes; memory for a batch of 16; the parameters take another {:.2f} MiB",
                    19839 * 4. / (1 << 20))) != std::string::npos,
                o.out);
  // Without a norm the convolution has a bias; another activation has another name.
  const auto rows = words(run(network + Arguments{"--norm", "none", "--activation", "tanh"}).out);
  REQUIRE(rows.size() > 2);
  CHECK(rows[1].at(5) == "224");
  CHECK(rows[2].at(1) == "tanh");
}

TEST_CASE("bench: what the line of JSON says of a workload, and how a comparison is summed up") {
  const Arguments small{"bench",
                        "--workload",
                        "W3",
                        "--model",
                        "conv:4:3 norm act flatten dense:classes",
                        "--norm",
                        "layer",
                        "--batch-size",
                        "6",
                        "--steps",
                        "5",
                        "--threads",
                        "1"};
  const auto begin = std::chrono::steady_clock::now();
  const Outcome o = run(small + Arguments{"--json"});
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  REQUIRE_MESSAGE(o.status == 0, o.err);
  const auto j = nlohmann::json::parse(o.out);
  CHECK((j["workload"] == "W3" && j["norm"] == "layer" && j["batch"] == 6 && j["threads"] == 1));
  CHECK(j["parameters"] == 4 * 9 + 4 + 8 + 3136 * 10 + 10);  // a layer norm does not cancel the bias
  // Forward once, backward twice; a multiplication and an addition are two operations.
  const double gflop = 3 * 2e-9 * 6 * (784. * 4 * 9 + 3136 * 10), ms = j["ms"];
  CHECK(j["gflop_per_step"].get<double>() == doctest::Approx(gflop).epsilon(1e-4));
  CHECK(j["gflops"].get<double>() == doctest::Approx(gflop / ms * 1e3).epsilon(1e-3));
  CHECK(j["images_per_s"].get<double>() == doctest::Approx(6 / ms * 1e3).epsilon(1e-3));
  CHECK((j["ms_min"].get<double>() <= ms && ms <= j["ms_p90"].get<double>() && j["ms_min"].get<double>() > 0));
  CHECK(j["tensor_mib"].get<double>() > 4. * 6 * 784 * 4 / (1 << 20));
  CHECK(j["rss_mib"].get<double>() > j["tensor_mib"].get<double>());
  // From the start of the process, which is known to a hundredth of a second; never less than a step.
  CHECK(j["first_step_s"].get<double>() >= 0.999e-3 * j["ms_min"].get<double>());
  CHECK(j["first_step_s"].get<double>() <= took.count() + 0.03);

  const auto rows = words(run(small + Arguments{"--rounds", "3", "--against", "--", "echo", "{\"ms\": 8}"}).out);
  REQUIRE(rows.size() == 5);
  std::vector<double> ours, ratio;
  for (size_t i = 1; i <= 3; ++i) {
    CHECK(rows[i].at(0) == std::to_string(i));
    ours.push_back(std::stod(rows[i].at(1))), ratio.push_back(std::stod(rows[i].at(3)));
    CHECK(rows[i].at(2) == "8.0000");
    CHECK(std::abs(ratio.back() - 8 / ours.back()) <= 0.006 + 5e-3 * ratio.back());
  }
  std::sort(ours.begin(), ours.end()), std::sort(ratio.begin(), ratio.end());
  CHECK(rows[4] == std::vector<std::string>{"median", fmt::format("{:.4f}", ours[1]), "8.0000",
                                            fmt::format("{:.2f}", ratio[1]), "(from", fmt::format("{:.2f}", ratio[0]),
                                            "to", fmt::format("{:.2f})", ratio[2])});
  // Of an even number the median is the mean of the two in the middle.
  const auto two = words(run(small + Arguments{"--rounds", "2", "--against", "--", "echo", "{\"ms\": 8}"}).out);
  REQUIRE(two.size() == 4);
  for (const auto& [column, half_a_digit] : {std::pair(1, 1e-4), {3, 0.01}})
    CHECK(std::abs(std::stod(two[3].at(column)) - (std::stod(two[1].at(column)) + std::stod(two[2].at(column))) / 2) <=
          half_a_digit);
}

TEST_CASE("bench: --compare prints a table beside PyTorch, or without where there is none") {
  const Scratch scratch;
  const std::string python = scratch / "python";
  // Stands for a Python: notes its arguments and the script's first line.
  std::ofstream(python) << "#!/bin/sh\n[ \"$1\" = -c ] && exit ${HAS_NO_TORCH:-0}\n{ head -n 1 \"$1\"; echo $@; } >> "
                        << scratch / "asked"
                        << "\necho '{\"program\": \"PyTorch 9.8\", \"variant\": \"fast\", \"ms\": 8}'\n";
  std::filesystem::permissions(python, std::filesystem::perms::owner_all);
  const Arguments small{"bench", "--compare", "--python", python, "--steps", "1", "--rounds", "2", "--threads", "1"};
  const Outcome o = run(small + Arguments{"--workload", "W1", "--batch-size", "3", "--norm", "none"});
  REQUIRE_MESSAGE(o.status == 0, o.err);
  const auto rows = words(o.out);
  const std::vector<std::string>& row = rows.back();
  CHECK(std::vector<std::string>(row.begin(), row.begin() + 4) == std::vector<std::string>{"|", "W1", "|", "MLP"});
  CHECK_MESSAGE(contains(o.out, "| 3 | "), o.out);
  CHECK_MESSAGE(contains(o.out, " | 8 | "), o.out);
  CHECK_MESSAGE(contains(o.out, " | PyTorch 9.8, fast |"), o.out);
  CHECK_MESSAGE(contains(o.out, "1 threads, none norm, float32: medians of 2 rounds"), o.out);
  const std::string asked = slurp(scratch / "asked");
  CHECK_MESSAGE(asked.starts_with("#!/usr/bin/python3\n"), asked);
  const auto asked_for = [](const std::string& model) {
    return " --workload W1 --model flatten " + model +
           " dense:classes --norm none --batch-size 3 --threads 1 --steps 1\n";
  };
  const std::string layer = "dense:100 norm act";
  CHECK_MESSAGE(contains(asked, asked_for(layer + " " + layer + " " + layer)), asked);
  CHECK(std::count(asked.begin(), asked.end(), '\n') == 4);  // two rounds
  const Outcome other =
      run(small + Arguments{"--workload", "W1", "--batch-size", "3", "--norm", "none", "--model", "mlp:7"});
  CHECK_MESSAGE(contains(other.out, "| W1 | mlp:7 | 3 | "), other.out);
  CHECK(contains(slurp(scratch / "asked"), asked_for("dense:7 norm act")));

  const Outcome without = run(small + Arguments{"--workload", "W6", "--batch-size", "1"}, {"HAS_NO_TORCH=1"});
  REQUIRE_MESSAGE(without.status == 0, without.err);
  CHECK_MESSAGE(contains(without.out, "PyTorch is left out: " + python + " has no module torch"), without.out);
  CHECK_MESSAGE(contains(without.out, " | - | - | - |\n"), without.out);
  const Outcome nowhere = run({"bench", "--compare", "--python", scratch / "none", "--workload", "W1", "--batch-size",
                               "2", "--steps", "1", "--rounds", "1"});
  CHECK_MESSAGE(contains(nowhere.out, "PyTorch is left out: "), nowhere.out);
}

TEST_CASE("bench: --ops times every op, as a table, as JSON and beside PyTorch") {
  const Arguments small{"bench", "--ops", "--batch-size", "1", "--steps", "1", "--threads", "2"};
  const Outcome table = run(small), lines = run(small + Arguments{"--json"});
  REQUIRE_MESSAGE(table.status == 0, table.err);
  REQUIRE_MESSAGE(lines.status == 0, lines.err);
  std::vector<std::string> ops;
  std::istringstream each(lines.out);
  for (std::string line; std::getline(each, line);) {
    const auto j = nlohmann::json::parse(line);
    ops.push_back(j["op"]);
    const bool update = ops.back() == "sgd with momentum" || ops.back() == "adamw";
    for (const char* pass : {"forward", "backward"}) {
      CHECK_MESSAGE(j.contains(std::string(pass) + "_ms") == !(update && std::string(pass) == "backward"), line);
      if (!j.contains(std::string(pass) + "_ms")) continue;
      CHECK_MESSAGE(j[std::string(pass) + "_ms"].get<double>() > 0, line);
      // The gradient of a sum is the cotangent itself: no traffic.
      CHECK_MESSAGE((j[std::string(pass) + "_gbs"].get<double>() > 0) == !(ops.back() == "add" && pass[0] == 'b'),
                    line);
    }
    CHECK_MESSAGE(contains(table.out, "\n" + ops.back() + " "), table.out);
    // Images are 1 x 32 x 32 x 64 floats here: relu reads one and writes one.
    if (ops.back() == "relu")
      CHECK(j["forward_gbs"].get<double>() * j["forward_ms"].get<double>() ==
            doctest::Approx(2e-6 * 4 * 65536).epsilon(1e-3));
  }
  const auto there = [&](const std::string& op) { return std::find(ops.begin(), ops.end(), op) != ops.end(); };
  for (const char* op : {"relu",
                         "leaky_relu",
                         "sigmoid",
                         "tanh",
                         "softplus",
                         "gelu",
                         "silu",
                         "exp",
                         "log",
                         "abs",
                         "clamp",
                         "add",
                         "multiply",
                         "sum",
                         "add_per_channel",
                         "scale_per_channel",
                         "max_pool 2x2",
                         "avg_pool 2x2",
                         "global_avg_pool",
                         "pad",
                         "max_pool 3x3 stride 2",
                         "dropout",
                         "concat_channels",
                         "to_channels_first",
                         "to_channels_last",
                         "softmax 1000",
                         "log_softmax 10",
                         "cross_entropy 10",
                         "cross_entropy 1000, smoothing",
                         "mean_rows",
                         "batch_norm",
                         "batch_norm + relu",
                         "batch_norm_inference",
                         "batch renorm",
                         "layer_norm",
                         "group_norm 8",
                         "instance norm",
                         "adamw",
                         "layer_norm + relu",
                         "sgd with momentum"})
    CHECK_MESSAGE(there(op), op);
  // PyTorch's ops have the names of ours.
  const std::string script = torch_bench;
  const std::regex name("\n        \\(\"([^\"]+)\", ");
  int named = 0;
  for (std::sregex_iterator i(script.begin(), script.end(), name), end; i != end; ++i, ++named)
    CHECK_MESSAGE(there((*i)[1]), (*i)[1]);
  CHECK(named > 50);

  const Scratch scratch;
  const std::string python = scratch / "python";
  std::ofstream(python) << "#!/bin/sh\n[ \"$1\" = -c ] && exit ${HAS_NO_TORCH:-0}\nshift; echo $@ >> "
                        << scratch / "asked"
                        << "\necho warning\necho '{\"op\": \"relu\", \"forward_ms\": 8, \"backward_ms\": 16}'\n"
                        << "echo '{\"op\": \"adamw\", \"forward_ms\": 9}'\n";
  std::filesystem::permissions(python, std::filesystem::perms::owner_all);
  const Arguments compared = small + Arguments{"--compare", "--python", python, "--rounds", "2"};
  const Outcome o = run(compared);
  REQUIRE_MESSAGE(o.status == 0, o.err);
  const std::string number = "[0-9.e-]+";
  for (const std::string& row :
       {"\\| relu \\| " + number + " \\| 8 \\| " + number + " \\| " + number + " \\| 16 \\| " + number + " \\|\n",
        "\\| adamw \\| " + number + " \\| 9 \\| " + number + " \\| - \\| - \\| - \\|\n",
        "\\| tanh \\| " + number + " \\| - \\| - \\| " + number + " \\| - \\| - \\|\n"})
    CHECK_MESSAGE(std::regex_search(o.out, std::regex(row)), o.out);
  CHECK_MESSAGE(contains(o.out, "2 threads, 1 examples: medians of 2 rounds in ms"), o.out);
  CHECK(slurp(scratch / "asked") ==
        "--ops --batch-size 1 --threads 2 --steps 1\n--ops --batch-size 1 --threads 2 --steps 1\n");
  const Outcome without = run(compared, {"HAS_NO_TORCH=1"});
  REQUIRE_MESSAGE(without.status == 0, without.err);
  CHECK_MESSAGE(contains(without.out, "PyTorch is left out: " + python + " has no module torch"), without.out);
  CHECK_MESSAGE(std::regex_search(without.out, std::regex("\\| relu \\| " + number + " \\| - \\| - \\|")), without.out);
}

TEST_CASE("data: the list says where each set is, or how to get it") {
  const auto row = [](const Outcome& o, const std::string& name) {
    for (const auto& line : words(o.out))
      if (line.at(0) == name) return line;
    return std::vector<std::string>{""};
  };
  const Outcome there = run({"data", "list", "--data-dir", tiny().folder.path}), nothing = run({"data", "list"});
  CHECK(row(there, "mnist").back() == tiny().folder / "mnist");
  CHECK(there.out.find("not here: evenkeel data fetch kmnist\n") != std::string::npos);
  CHECK(row(run({"data", "list"}, {"EVENKEEL_DATA=" + tiny().folder.path}), "mnist").back() == tiny().folder / "mnist");
  CHECK(row(nothing, "synthetic").back() == "file");
  CHECK(words(nothing.out).size() == 10);
  // What is there is not fetched.
  const Outcome fetched =
      run({"data", "fetch", "mnist", "--data-dir", tiny().folder.path, "--mirror", "http://127.0.0.1:1"});
  CHECK(fetched.status == 0);
  CHECK(fetched.out == tiny().folder / "mnist\n");
  CHECK(fetched.err.find("is there; to fetch it anew, remove it first") != std::string::npos);
}
