// Files, paths and options of somebody who means no good: what they cost, what they print, and how they are refused.
#include <doctest/doctest.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <nlohmann/json.hpp>

#include "apps/cli/text.h"
#include "apps/report/run_log.h"
#include "layers/model/safetensors.h"
#include "tests/apps/process.h"
#include "tests/data_files.h"

namespace {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

constexpr uint64_t MiB = 1 << 20, GiB = 1 << 30;

// Under limits on memory (what the program needs to start, and `bytes`) and on the processor's time: one that is
// reached only by work that grows faster than the file.
[[maybe_unused]] Outcome limited(uint64_t bytes, const Arguments& arguments) {
  const Scratch files;
  std::string command = fmt::format("ulimit -d {} && ulimit -t 20 && cd '{}' && unset EVENKEEL_DATA && HOME='{}' '{}'",
                                    (bytes + 200 * MiB) / 1024, files.path, files.path, EVENKEEL_PROGRAM);
  for (const std::string& a : arguments) command += " '" + a + "'";
  const int status = std::system((command + " >out 2>err").c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status), slurp(files / "out"), slurp(files / "err")};
}

// A file of so many bytes that begins so; the rest are zeros that take no place on the disk.
[[maybe_unused]] std::string sparse(const std::string& path, const std::string& begin, uint64_t size) {
  save(path, begin);
  fs::resize_file(path, size);
  return path;
}

// A file that says it holds such a network, and holds one number.
std::string claiming(const std::string& path, const std::map<std::string, std::string>& changed) {
  evenkeel::SafeTensors file;
  file.metadata = {{"model", "flatten dense:classes"},
                   {"norm", "none"},
                   {"activation", "relu"},
                   {"init", "he"},
                   {"input", "28x28x1"},
                   {"classes", "10"},
                   {"seed", "1"},
                   {"data", "synthetic"},
                   {"mean", "0"},
                   {"deviation", "1"}};
  for (const auto& [key, value] : changed) file.metadata[key] = value;
  file.tensors.push_back({"0.weight", "F32", {1}, std::string(4, '\0')});
  evenkeel::write_safetensors(path, file);
  return path;
}

const std::string& trained() {  // a run's folder
  static const Scratch scratch;
  static const std::string made = [] {
    const Outcome o = run({"train", "--samples", "40", "--model", "flatten dense:classes", "--batch-size", "20",
                           "--epochs", "2", "--out", scratch / "run"});
    REQUIRE_MESSAGE(o.status == 0, o.err);
    return scratch / "run";
  }();
  return made;
}

// A good network, trained on a set of that name.
std::string claiming_data(const std::string& path, const std::string& data) {
  evenkeel::SafeTensors file = evenkeel::read_safetensors(trained() + "/best.safetensors");
  file.metadata["data"] = data;
  evenkeel::write_safetensors(path, file);
  return path;
}

}  // namespace

#if !defined(EVENKEEL_SANITIZER)  // it needs more memory than these limits leave

TEST_CASE("hostile files: safetensors cost what they weigh") {
  const Scratch scratch;
  const std::string file = scratch / "a.safetensors";
  const auto refused = [&](uint64_t bytes, const std::string& why) {
    const Outcome o = limited(bytes, {"eval", file});
    CHECK_MESSAGE(o.status == 4, why << ": " << o.err.substr(0, 300));
    CHECK_MESSAGE(contains(o.err, why), o.err.substr(0, 300));
  };
  std::string names = "{", keys = "{\"__metadata__\":{";
  for (int i = 0; i < 100'000; ++i) {
    names += fmt::format("{}\"t{}\":{{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}}", i ? "," : "", i);
    keys += fmt::format("{}\"k{}\":\"\"", i ? "," : "", i);
  }
  save(file, with_length(names + "}"));  // 6 MB
  refused(30 * names.size(), "its metadata lack \"model\"");
  save(file, with_length(keys + "}}"));  // 1 MB
  refused(30 * keys.size(), "its metadata lack \"model\"");
  const std::string large =
      fmt::format("{{\"a\":{{\"dtype\":\"U8\",\"shape\":[{0}],\"data_offsets\":[0,{0}]}}}}", 256 * MiB);
  sparse(file, with_length(large), 8 + large.size() + 256 * MiB);
  refused(256 * MiB + 64 * MiB, "its metadata lack \"model\"");
  sparse(file, "", 3 * GiB);
  refused(0, "its header does not begin");
}

TEST_CASE("hostile files: data sets of the wrong size are not read to find that out") {
  const Scratch scratch;
  fs::create_directories(scratch / "mnist");
  fs::create_directories(scratch / "cifar-10-batches-bin");
  const auto refused = [&](const std::string& set, const std::string& why) {
    const Outcome o = limited(0, {"train", "--data", set, "--data-dir", scratch.path, "--out", scratch / "run"});
    CHECK_MESSAGE(o.status == 4, why << ": " << o.err.substr(0, 300));
    CHECK_MESSAGE(contains(o.err, why), o.err.substr(0, 300));
  };
  const std::string images = scratch / "mnist/train-images-idx3-ubyte",
                    labels = scratch / "mnist/train-labels-idx1-ubyte";
  for (const char* file : {"t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"}) save(scratch / "mnist/" + file, "");
  save(labels, idx({7}, {1}));
  sparse(images, "", 3 * GiB);
  refused("mnist", "the magic number must be");
  const uint64_t count = 3 * GiB / 784;
  sparse(images, big_endian(0x803) + big_endian(static_cast<uint32_t>(count)) + big_endian(28) + big_endian(28),
         16 + count * 784);
  refused("mnist", "7 labels for the");
  sparse(images, big_endian(0x803) + big_endian(3) + big_endian(32768) + big_endian(32768), 16 + 3 * GiB);
  refused("mnist", "the images must be (28, 28, 1)");
  fs::remove(images);
  // A gzip of an MNIST header and of nothing else, filled up with zeros.
  sparse(images + ".gz", deflated(big_endian(0x803) + big_endian(60000) + big_endian(28) + big_endian(28)), 400 * MiB);
  refused("mnist", "its header promises 47040016 bytes");
  for (const char* file : {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin",
                           "data_batch_5.bin", "test_batch.bin"})
    sparse(scratch / "cifar-10-batches-bin/" + file, "", 3 * GiB);
  refused("cifar10", "must have 30730000 bytes");
}

TEST_CASE("hostile files: a network that a file names is not built where the file cannot hold it") {
  const Scratch scratch;
  const std::string file = scratch / "a.safetensors";
  std::string many;
  while (many.size() < 30'000) many += "relu ";
  const std::map<std::string, std::map<std::string, std::string>> cases = {
      {"weights", {{"model", "flatten dense:65536 dense:16000 dense:classes"}}},
      {"would have", {{"model", "flatten 1000*dense:1000 dense:classes"}}},
      {"batch on (1073741824) would have", {{"model", "flatten batch dense:classes"}, {"input", "32768x32768x1"}}},
      {"at most 10000 layers", {{"model", "10000*residual(" + many + ") flatten dense:classes"}}},
      {"at most 10000", {{"model", "10000*(10000*(10000*(norm))) flatten dense:classes"}}},
      {"norm or act contain itself", {{"model", "flatten norm dense:classes"}, {"norm", "residual(norm)"}}},
      // This one fits its claims: a convolution of 1000 x 1000 taps at each of 1024 x 1024 places, were it run.
      {"it does not fit the network",
       {{"model", "conv:1:1000 global_avgpool dense:classes"}, {"input", "1024x1024x1"}}}};
  for (const auto& [why_, changed] : cases) {
    const auto& why = why_;
    const Outcome o = limited(50 * MiB, {"eval", claiming(file, changed)});
    CHECK_MESSAGE(o.status == 4, why << ": " << o.status << " " << o.err.substr(0, 300));
    CHECK_MESSAGE(contains(o.err, why), o.err.substr(0, 300));
  }
}

TEST_CASE("hostile files: config.json and log.csv") {
  const Scratch scratch;
  const std::string config = scratch / "config.json", log = scratch / "log.csv";
  const auto refused = [](const Arguments& arguments, const std::string& why) {
    const Outcome o = limited(64 * MiB, arguments);
    CHECK_MESSAGE(o.status == 4, why << ": " << o.status << " " << o.err.substr(0, 300));
    CHECK_MESSAGE(contains(o.err, why), o.err.substr(0, 300));
  };
  const Arguments train = {"train", "--config", config, "--out", scratch / "run"};
  std::string options = "{\"options\":{";
  for (int i = 0; i < 90'000; ++i) options += fmt::format("{}\"o{}\":1", i ? "," : "", i);
  save(config, options + "}}");
  refused(train, "has no option \"o0\"");
  std::string facts = "{\"options\":{\"samples\":20,\"batch-size\":10},\"images\":{";
  for (int i = 0; i < 90'000; ++i) facts += fmt::format("{}\"o{}\":1", i ? "," : "", i);
  save(config, facts + "}}");
  CHECK(limited(256 * MiB, train).status == 2);
  save(config, "{\"options\":{},\"images\":" + std::string(300'000, '[') + std::string(300'000, ']') + "}");
  refused(train, "more than 8 deep");
  sparse(config, "{", 3 * GiB);
  refused(train, "at most");
  sparse(log, "epoch", 3 * GiB);
  refused({"plot", log, "--out", scratch / "x.svg"}, "at most");
  std::string row = evenkeel::log_csv({}, false);
  for (int i = 0; i < 8'000'000; ++i) row += "1,";
  save(log, row);
  refused({"plot", log, "--out", scratch / "x.svg"}, "line 2 must have 8 columns, it has more than 8");
}

#endif

TEST_CASE("hostile text: what a file, a path or an option says cannot steer a terminal") {
  CHECK(evenkeel::printable("Grüße, 漢字\tand\nlines") == "Grüße, 漢字\tand\nlines");
  CHECK(evenkeel::printable("\x1b[31m\r\x07\x7f") == "\\x1b[31m\\x0d\\x07\\x7f");
  CHECK(evenkeel::printable("\xff\xc2\x9b\xe2\x80\xae") == "\\xff\\u009b\\u202e");

  const Scratch scratch;
  const std::string escape = "\x1b[31m", file = scratch / "a.safetensors";
  const auto clean = [&](const Outcome& o, const char* what, const char* shown) {
    CHECK_MESSAGE(o.out.find('\x1b') == std::string::npos, what);
    CHECK_MESSAGE(o.err.find('\x1b') == std::string::npos, what);
    CHECK_MESSAGE(contains(o.out + o.err, shown), what << o.out << o.err);
  };
  clean(run({"eval", "no" + escape}), "a path", "\\x1b[31m");
  clean(run({escape}), "a command", "\\x1b[31m");
  clean(run({"eval", "--" + escape}), "an option", "\\x1b[31m");
  clean(run({"train", "--data", escape}), "an option's text", "\\x1b[31m");
  clean(run({"model", "--model", "flatten " + escape}), "a model", "\\x1b[31m");
  clean(run({"eval", claiming(file, {{"model", escape}})}), "metadata", "\\x1b[31m");
  clean(run({"eval", claiming_data(file, escape)}), "metadata", "\\x1b[31m");
  save(file, with_length("{\"" + escape + "\":{}}"));
  clean(run({"eval", file}), "a file that is not JSON", "\\x1b");
  save(file, with_length("{\"\\u001b[31m\":{}}"));
  clean(run({"eval", file}), "a tensor's name", "\\x1b[31m");
  save(scratch / "log.csv", evenkeel::log_csv({}, false) + "1,1,1,1,1,1,1,1\n");
  clean(run({"plot", scratch / "log.csv", "--out", scratch / ("x" + escape)}), "an output", "\\x1b[31m");
  save(scratch / "config.json", "{\"options\":{\"\\u001b[31m\":1}}");
  clean(run({"train", "--config", scratch / "config.json"}), "a config.json's option", "\\x1b[31m");
  for (const char* name : {"no\nevenkeel: all is well", "no\nevenkeel: all\nevenkeel: is well"})
    CHECK(contains(run({"eval", name}).err, "evenkeel: there is no file no\\x0aevenkeel: all"));
  // A newline in a path, in an error, in a note and in what a command prints.
  CHECK(contains(run({"train", "--samples", "20", "--model", "mlp:4", "--epochs", "1", "--batch-size", "10", "--out",
                      trained() + "\n"})
                     .err,
                 "into " + trained() + "\\x0a\n"));
  CHECK(contains(run({"train", "--resume", "no\nfolder"}).err, "there is no folder no\\x0afolder; "));
  CHECK(run({"plot", trained(), "--out", scratch / "x\n.svg"}).out == scratch / "x\\x0a.svg\n");
  // A message of several lines keeps them.
  CHECK(contains(run({"train", "--nosuch"}).err, "\n  Try evenkeel train --help\n"));
}

TEST_CASE("hostile text: an option's text comes back from config.json as it was typed") {
  const Scratch scratch;
  const Arguments base = {"train",    "--samples", "20", "--batch-size", "10", "--model", "flatten dense:classes",
                          "--epochs", "1"};
  int number = 0;
  for (const auto& [option, text_] : {std::pair<std::string, std::string>{"data-dir", "1e3"},
                                      {"data-dir", " 5"},
                                      {"data-dir", "1.0"},
                                      {"data-dir", "[a]"},
                                      {"data-dir", "\"x\""},
                                      {"data-dir", "true"},
                                      {"data-dir", "a=b'c\\d\n e"},
                                      {"data-dir", "123456789012345678901234567890"},
                                      {"lr", "0.10"},
                                      {"lr", "1e-2"},
                                      {"seed", "18446744073709551615"}}) {
    const auto& text = text_;
    CAPTURE(text);
    const std::string out = scratch / std::to_string(number++);
    REQUIRE(run(base + Arguments{"--" + option + "=" + text, "--out", out}).status == 0);
    const Json value = Json::parse(slurp(out + "/config.json"))["options"][option];
    CHECK((value.is_string() ? value.get<std::string>() : value.dump()) == text);
    const Outcome again = run({"train", "--config", out + "/config.json", "--out", out + "b"});
    REQUIRE_MESSAGE(again.status == 0, again.err);
    CHECK(Json::parse(slurp(out + "b/config.json"))["options"] == Json::parse(slurp(out + "/config.json"))["options"]);
  }
}

TEST_CASE("hostile numbers: log.csv") {
  const Scratch scratch;
  const std::string log = scratch / "log.csv", head = evenkeel::log_csv({}, false);
  const auto plot = [&](const std::string& rows) {
    save(log, head + rows);
    return run({"plot", log, "--out", scratch / "x.svg"});
  };
  for (const auto& [rows_, why] : {std::pair<std::string, std::string>{"1,1,1,1,nan,1,1,1\n", "not finite"},
                                   {"1,1,inf,1,1,1,1,1\n", "not finite"},
                                   {"1,1,1e400,1,1,1,1,1\n", "not finite"},
                                   {"1,1,1.7e308,1,1,1,1,1\n", "above 1e300"},
                                   {"1e300,1,1,1,1,1,1,1\n", "must be epoch 1"},
                                   {"1.5,1,1,1,1,1,1,1\n", "must be epoch 1"},
                                   {"-1,1,1,1,1,1,1,1\n", "must be epoch 1"},
                                   {"9223372036854775808,1,1,1,1,1,1,1\n", "must be epoch 1"},
                                   {"1,1,1,1,1,1,1,1\n1,1,1,1,1,1,1,1\n", "must be epoch 2"}}) {
    const auto& rows = rows_;
    const Outcome o = plot(rows);
    CHECK_MESSAGE(o.status == 4, rows << o.err);
    CHECK_MESSAGE(contains(o.err, why), rows << o.err);
  }
  for (const char* rows : {"1,1,0.3,1,0.3,1,1,1\n2,1,0.30000000000000004,1,0.3,1,1,1\n",
                           "1,1,1e17,1,1e17,1,1,1\n2,1,100000000000000016,1,1e17,1,1,1\n",
                           "1,1,1e-320,1,0,1,1,1\n2,1,5e-324,1,-0,1,1,1\n", "1,1,-1e300,1,1e300,1,1,1\n"})
    CHECK_MESSAGE(plot(rows).status == 0, rows);
}

TEST_CASE("hostile numbers: config.json and what a network's file says") {
  const Scratch scratch;
  const std::string config = scratch / "config.json", file = scratch / "a.safetensors";
  for (const auto& [options_, why] : {std::pair<std::string, std::string>{R"("lr":1e400)", "which is too large"},
                                      {R"("lr":NaN)", "not JSON"},
                                      {R"("lr":"nan")", "must be a number"},
                                      {R"("lr":"inf")", "must be a number"},
                                      {R"("lr":1e300)", "must be a number"},
                                      {R"("lr":-0.0)", "must be a number"},
                                      {R"("epochs":1.5)", "must be an integer"},
                                      {R"("epochs":1e300)", "must be an integer"},
                                      {R"("epochs":9223372036854775808)", "must be an integer"},
                                      {R"("seed":-1)", "must be an integer"},
                                      {R"("seed":18446744073709551616)", "must be an integer"},
                                      {R"("epochs":2,"epochs":3)", "\"epochs\" twice"}}) {
    const auto& options = options_;
    save(config, "{\"options\":{" + options + "}}");
    const Outcome o = run({"train", "--config", config, "--out", scratch / "run"});
    CHECK_MESSAGE(o.status == 4, options << o.err);
    CHECK_MESSAGE(contains(o.err, why), options << o.err);
  }
  for (const auto& [key_, value_] : {std::pair<std::string, std::string>{"mean", "nan"},
                                     {"mean", "inf"},
                                     {"mean", "1e39"},
                                     {"deviation", "1e-45"},
                                     {"deviation", "nan"},
                                     {"deviation", "0"},
                                     {"deviation", "-0"},
                                     {"classes", "10,11"},
                                     {"classes", "9223372036854775808"},
                                     {"classes", "1.5"},
                                     {"classes", "-1"},
                                     {"seed", "18446744073709551616"},
                                     {"seed", "1,2"},
                                     {"input", "99999999999999999999x1x1"}}) {
    const auto& key = key_;
    const auto& value = value_;
    const Outcome o = run({"eval", claiming(file, {{key, value}})});
    CHECK_MESSAGE(o.status == 4, key << value << o.err);
    CHECK_MESSAGE(contains(o.err, key), key << value << o.err);
  }
}

TEST_CASE("hostile numbers: weights whose outputs overflow are named by every command that computes them") {
  const Scratch scratch;
  const std::string file = scratch / "a.safetensors", picture = scratch / "a.png", out = scratch / "out";
  REQUIRE(run({"train", "--samples", "40", "--model", "conv:2:3 norm flatten dense:classes", "--batch-size", "20",
               "--epochs", "1", "--out", scratch / "run"})
              .status == 0);
  evenkeel::SafeTensors network = evenkeel::read_safetensors(scratch / "run/best.safetensors");
  for (evenkeel::StoredTensor& t : network.tensors) {
    if (t.name != "3.weight") continue;
    std::vector<float> values(t.bytes.size() / sizeof(float));
    for (size_t i = 0; i < values.size(); ++i) values[i] = i % 3 ? 3e38F : -3e38F;
    std::memcpy(t.bytes.data(), values.data(), t.bytes.size());
  }
  evenkeel::write_safetensors(file, network);
  REQUIRE(run({"data", "show", "synthetic", "--out", picture}).status == 0);
  for (const Arguments& command : {Arguments{"eval", file},
                                   {"predict", file, picture},
                                   {"doctor", file},
                                   {"recalibrate", file, "--out", out},
                                   {"fold", file, "--out", out}}) {
    const Outcome o = run(command);
    CHECK_MESSAGE(o.status == 1, command[0] << o.err);
    CHECK_MESSAGE(contains(o.err, "the network's outputs overflow"), command[0] << o.err);
    CHECK_MESSAGE(!contains(o.out, "nan"), command[0] << o.out);
    CHECK(!fs::exists(out));
  }
}

TEST_CASE("hostile numbers: where a training run stands") {
  const Scratch scratch;
  const std::string folder = scratch / "run";
  fs::copy(trained(), folder);
  const evenkeel::SafeTensors good = evenkeel::read_safetensors(folder + "/last.safetensors");
  for (const auto& [name_, value_, why] :
       {std::tuple<std::string, std::string, std::string>{"epoch", "1.5", "a whole number"},
        {"epoch", "1e300", "a whole number"},
        {"epoch", "9223372036854775808", "a whole number"},
        {"epoch", "true", "a whole number"},
        {"batch", "null", "a whole number"},
        {"loss_sum", "1e400", "which is too large"},
        {"loss_sum", "\"nan\"", "a number"},
        {"correct", "-1", "no run can have reached"},
        {"correct", "5", "no run can have reached"},
        {"best_epoch", "7", "no run can have reached"}}) {
    const auto& name = name_;
    const auto& value = value_;
    evenkeel::SafeTensors file = good;
    Json state = Json::parse(file.metadata["training"]);
    state.erase(name);
    std::string text = state.dump();
    text.insert(1, "\"" + name + "\":" + value + ",");
    file.metadata["training"] = text;
    evenkeel::write_safetensors(folder + "/last.safetensors", file);
    const Outcome o = run({"train", "--resume", folder});
    CHECK_MESSAGE(o.status == 4, name << value << o.err);
    CHECK_MESSAGE(contains(o.err, why), name << value << o.err);
  }
  evenkeel::SafeTensors deep = good;
  deep.metadata["run"] = "{\"options\":" + std::string(300'000, '[') + std::string(300'000, ']') + "}";
  evenkeel::write_safetensors(folder + "/last.safetensors", deep);
  const Outcome o = run({"train", "--resume", folder});
  CHECK_MESSAGE(o.status == 4, o.err);
}

TEST_CASE("hostile files: a bad option ends with 2, the same text in a file with 4") {
  const Scratch scratch;
  const std::string config = scratch / "config.json", file = scratch / "a.safetensors", out = scratch / "run";
  for (const auto& [option_, text] : {std::pair<std::string, std::string>{"model", "flatten dens:10"},
                                      {"model", "conv:1:1"},
                                      {"norm", "bach"},
                                      {"activation", "rely"},
                                      {"init", "hi"},
                                      {"data", "nosuch"},
                                      {"schedule", "cosin"},
                                      {"epochs", "0"},
                                      {"samples", "999999999"},
                                      {"lr", "nan"}}) {
    const auto& option = option_;
    const Outcome typed = run({"train", "--" + option, text, "--out", out});
    CHECK_MESSAGE(typed.status == 2, option << typed.err);
    save(config, Json{{"options", {{option, text}}}}.dump());
    const Outcome read = run({"train", "--config", config, "--out", out});
    CHECK_MESSAGE(read.status == 4, option << read.err);
    CHECK_MESSAGE(contains(read.err, config), option << read.err);
  }
  CHECK(run({"train", "--config", config, "--model", "flatten dens:10", "--out", out}).status == 4);  // lr is still nan
  save(config, "{\"options\":{}}");
  CHECK(run({"train", "--config", config, "--model", "flatten dens:10", "--out", out}).status == 2);
  for (const auto& [key_, text] : {std::pair<std::string, std::string>{"model", "flatten dens:10"},
                                   {"norm", "bach:"},
                                   {"init", "hi"},
                                   {"input", "28x28"}}) {
    const auto& key = key_;
    claiming(file, {{key, text}, {"norm", key == "norm" ? text : "none"}});
    for (const char* command : {"eval", "doctor"}) {
      const Outcome o = run({command, file});
      CHECK_MESSAGE(o.status == 4, command << key << o.err);
      CHECK_MESSAGE(contains(o.err, file), command << key << o.err);
    }
  }
  for (const char* command : {"eval", "doctor"}) {
    const Outcome o = run({command, claiming_data(file, "nosuch")});
    CHECK_MESSAGE((o.status == 4 && contains(o.err, file)), o.err);
    CHECK(run({command, file, "--data", "nosuch"}).status == 2);
  }
  CHECK(run({"bench", "--workload", "W1", "--norm", "bach", "--against", "--", "true"}).status == 2);
  CHECK(run({"plot", std::string(5000, 'a'), "--out", scratch / "x.svg"}).status == 5);
  save(scratch / "log.csv", evenkeel::log_csv({}, false) + "1,1,1,1,1,1,1,1\n");
  CHECK(run({"plot", scratch / "log.csv", "--label", "[a,b]", "--out", scratch / "x.svg"}).status == 0);
}
