// What the program reads and writes: nothing waits, nothing that is read is written over, nothing fails in silence.
#include <doctest/doctest.h>
#include <sys/stat.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <nlohmann/json.hpp>
#include <tuple>

#include "apps/cli/text.h"
#include "apps/report/run_log.h"
#include "layers/model/safetensors.h"
#include "tests/apps/process.h"
#include "tests/apps/tiny_data.h"
#include "tests/data_files.h"

namespace {

namespace fs = std::filesystem;

const std::string& network() {  // a trained one, for all tests
  static const Scratch scratch;
  static const std::string file = [] {
    const Outcome o = run({"train", "--samples", "200", "--model", "mlp:8", "--epochs", "1", "--out", scratch / "run"});
    REQUIRE_MESSAGE(o.status == 0, o.err);
    return scratch / "run/best.safetensors";
  }();
  return file;
}

// The program as a shell starts it: with redirections and limits.
int shell(const std::string& command, const std::string& err = "/dev/null") {
  const int status = std::system(("timeout -s KILL 60 sh -c '" + command + "' 2>" + err).c_str());
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

const std::string program = EVENKEEL_PROGRAM;

}  // namespace

TEST_CASE("files: a FIFO in place of any input is refused at once, in every command") {
  const Scratch scratch;
  const std::string fifo = scratch / "pipe";
  REQUIRE(mkfifo(fifo.c_str(), 0600) == 0);
  fs::create_directories(scratch / "data/mnist");
  for (const char* file :
       {"train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"})
    fs::create_symlink(fifo, scratch / "data/mnist/" + file);
  fs::create_directory(scratch / "run");
  for (const char* file : {"config.json", "log.csv"}) fs::create_symlink(fifo, scratch / "run/" + file);
  for (const Arguments& command :
       {Arguments{"eval", fifo},
        {"eval", network(), "--data", "mnist", "--data-dir", scratch / "data"},
        {"export", fifo, "--format", "npz"},
        {"doctor", fifo},
        {"recalibrate", fifo, "--out", scratch / "new"},
        {"fold", fifo, "--out", scratch / "new"},
        {"plot", scratch / "run"},
        {"plot", fifo},
        {"train", "--config", fifo, "--out", scratch / "new"},
        {"train", "--resume", scratch / "run"},
        {"train", "--resume", fifo},
        {"predict", fifo, scratch / "picture.png"},
        {"predict", network(), fifo},
        {"train", "--samples", "50", "--init", fifo + ".safetensors", "--out", scratch / "new"},
        {"train", "--data", "mnist", "--data-dir", scratch / "data", "--out", scratch / "new"}}) {
    if (!fs::exists(fifo + ".safetensors")) fs::create_symlink(fifo, fifo + ".safetensors");
    CAPTURE(command[0]);
    const Outcome o = run(command);
    CHECK(o.status == 4);
    CHECK_MESSAGE(contains(o.err, ": it is a FIFO, not a regular file"), o.err);
    CHECK(!fs::exists(scratch / "new"));
  }
}

TEST_CASE("files: where a folder must be, a file, a FIFO or a device is an error that names it") {
  const Scratch scratch;
  const std::string fifo = scratch / "pipe", file = scratch / "file";
  REQUIRE(mkfifo(fifo.c_str(), 0600) == 0);
  REQUIRE(mkfifo((scratch / "pipe.npz").c_str(), 0600) == 0);
  save(file, "text");
  for (const std::string& path : {fifo, file, scratch / "pipe.npz", std::string("/dev/null")}) {
    CAPTURE(path);
    const Outcome data = run({"train", "--data", path, "--out", scratch / "new"});
    CHECK(data.status == 4);
    CHECK_MESSAGE(contains(data.err, path + ": must be a folder or an .npz file; data of your own is"), data.err);
    const Outcome runs = run({"runs", path});
    CHECK(runs.status == 4);
    CHECK_MESSAGE(contains(runs.err, path + " is no folder; name the folder that holds the runs: evenkeel runs DIR"),
                  runs.err);
  }
}

TEST_CASE("files: a symbolic link that leads nowhere is named with its target, in place of any file or folder") {
  const Scratch scratch;
  const std::string link = scratch / "link.safetensors";
  fs::create_symlink("/nowhere", link);
  fs::create_directory(scratch / "run");
  const std::string log = evenkeel::log_csv({{1, 0.1, 2, 0.5, 2, 0.5, 100, 1, {}, {}}}, false);
  std::ofstream(scratch / "run/log.csv") << log;
  const auto named = [&](const Outcome& o, int status, const std::string& where) {
    CHECK_MESSAGE(o.status == status, o.err);
    CHECK_MESSAGE(contains(o.err, where + ": it is a symbolic link to /nowhere, which does not exist"), o.err);
  };
  for (const char* below : {"", "/", "/below"}) {
    for (const Arguments& command : {Arguments{"runs"},
                                     {"plot"},
                                     {"eval"},
                                     {"ablate"},
                                     {"data", "show"},
                                     {"predict", network()},
                                     {"train", "--data"},
                                     {"train", "--config"},
                                     {"train", "--init"},
                                     {"train", "--resume"}}) {
      CAPTURE(command.back());
      named(run(command + Arguments{link + below}), 3, link);
    }
    named(run({"train", "--samples", "20", "--out", link + below}), 5, link);
  }
  const auto here = [] {
    if (symlink("/nowhere", "link") != 0) _exit(98);
  };
  named(Process({"train", "--data", "link"}, {}, false, here).wait(), 3, "link");
  const Outcome plot = run({"plot", link, scratch / "run", "--out", scratch / "curves.svg"}),
                runs = run({"runs", scratch.path});
  named(plot, 0, link);
  named(runs, 2, link);
  for (const Outcome* o : {&plot, &runs}) CHECK_MESSAGE(contains(o->err, "does not exist, skipped\n"), o->err);
}

TEST_CASE("files: no command writes over what it reads, by whatever path") {
  const Scratch scratch;
  const std::string file = scratch / "net.safetensors", link = scratch / "link";
  fs::copy_file(network(), file);
  fs::create_symlink(file, link);
  const std::string before = slurp(file);
  fs::create_directory(scratch / "run");
  fs::copy_file(fs::path(network()).parent_path() / "log.csv", scratch / "run/log.csv");
  for (const std::string& out : {file, link, scratch / "run/../net.safetensors"}) {
    for (const Arguments& command : {Arguments{"eval", file, "--logits", out},
                                     {"export", file, "--format", "npz", "--out", out},
                                     {"export", link, "--format", "onnx", "--out", out},
                                     {"recalibrate", file, "--samples", "100", "--out", out},
                                     {"fold", link, "--samples", "100", "--out", out}}) {
      CAPTURE(command[0]);
      const Outcome o = run(command);
      CHECK(o.status == 2);
      CHECK_MESSAGE(contains(o.err, "is the input"), o.err);
      CHECK(slurp(file) == before);
    }
  }
  CHECK(run({"plot", scratch / "run", "--out", scratch / "run/log.csv"}).status == 2);
  // A set of files, unlike one of pictures, has room for others beside and below them.
  const TinyData data(60, 20);
  const std::string mnist = data.folder / "mnist";
  fs::create_directory(mnist + "/below");
  for (const char* name : {"/sheet.png", "/below/sheet.png"}) {
    const Outcome o = run({"data", "show", mnist, "--out", mnist + name});
    CHECK_MESSAGE(o.status == 0, o.err);
  }
  const std::string images = mnist + "/train-images-idx3-ubyte", kept = slurp(images);
  const Outcome over = run({"data", "show", mnist, "--out", images});
  CHECK(over.status == 2);
  CHECK_MESSAGE(contains(over.err, "is the input"), over.err);
  CHECK((slurp(images) == kept));
}

TEST_CASE("files: weights that are not finite, or statistics that cannot be, are refused by the tensor's name") {
  const Scratch scratch;
  for (const auto& [name, value] : {std::pair{"1.weight", NAN}, {"2.running_var", -1.f}, {"2.running_var", INFINITY}}) {
    evenkeel::SafeTensors file = evenkeel::read_safetensors(network());
    for (auto& t : file.tensors) {
      if (t.name == name) std::memcpy(t.bytes.data(), &value, sizeof value);
    }
    evenkeel::write_safetensors(scratch / "bad.safetensors", file);
    for (const Arguments& command : {Arguments{"eval", scratch / "bad.safetensors"},
                                     {"train", "--samples", "200", "--model", "mlp:8", "--init",
                                      scratch / "bad.safetensors", "--out", scratch / "run"}}) {
      const Outcome o = run(command);
      CHECK(o.status == 4);
      CHECK_MESSAGE(contains(o.err, name + std::string(" holds ")), o.err);
    }
    CHECK(!fs::exists(scratch / "run"));
  }
  // Weights that are finite, and so large that the outputs are not.
  evenkeel::SafeTensors file = evenkeel::read_safetensors(network());
  const float huge = 3e38f;
  for (auto& t : file.tensors) {
    if (t.name != "4.weight" && t.name != "2.weight") continue;
    for (size_t i = 0; i < t.bytes.size(); i += sizeof huge) std::memcpy(t.bytes.data() + i, &huge, sizeof huge);
  }
  evenkeel::write_safetensors(scratch / "huge.safetensors", file);
  const Outcome o = run({"eval", scratch / "huge.safetensors"});
  CHECK_MESSAGE(o.status == 1, o.out);
  CHECK_MESSAGE(contains(o.err, "the loss on 2000 images"), o.err);
  CHECK(o.out.empty());
  for (auto& t : file.tensors) {
    if (t.name != "1.weight") continue;
    for (size_t i = 0; i < t.bytes.size(); i += sizeof huge) std::memcpy(t.bytes.data() + i, &huge, sizeof huge);
  }
  evenkeel::write_safetensors(scratch / "huge.safetensors", file);
  const Outcome moments = run({"recalibrate", scratch / "huge.safetensors", "--out", scratch / "new.safetensors"});
  CHECK_MESSAGE(moments.status == 1, moments.out);
  CHECK_MESSAGE(contains(moments.err, "recalibrate: the inputs of norm 2 must have a finite mean and variance"),
                moments.err);
  CHECK(!fs::exists(scratch / "new.safetensors"));
}

TEST_CASE("files: what is no file of weights, or of a data set, is named for what it is, with what to do") {
  const Scratch scratch;
  const std::pair<std::string, std::string> files[] = {
      {"<!DOCTYPE html><title>403 Forbidden</title>", "it is an HTML page, not "},
      {"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n", "it is a Git LFS pointer, not "},
      {"\x80\2}q\1(U\x0b"
       "batch_labelq\2U\x15training batch 1 of 5",
       "it is a pickle, not "}};
  for (const std::string name : {"weights.safetensors", "weights.st", "weights.pt"}) {
    const std::string file = scratch / name;
    for (const auto& [bytes, what] : files) {
      save(file, bytes);
      for (const Arguments& command : {Arguments{"eval", file},
                                       {"export", file, "--format", "npz"},
                                       {"train", "--samples", "50", "--init", file, "--out", scratch / "new"}}) {
        const Outcome o = run(command);
        CHECK(o.status == 4);
        CHECK_MESSAGE(contains(o.err, file + ": " + what + "a safetensors file; "), o.err);
      }
    }
    CHECK(!fs::exists(scratch / "new"));
  }
  for (const auto& [set, folder, part] : {std::tuple<const char*, const char*, const char*>{"mnist", "mnist", "-ubyte"},
                                          {"mnist", "mnist", "-ubyte.gz"},
                                          {"cifar100", "cifar-100-binary", ".bin"}}) {
    for (const auto& [bytes, what] : files) {
      const Scratch data;
      fs::create_directory(data / folder);
      for (const char* file :
           {"train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1", "train", "test"})
        save(data / folder + "/" + file + part, bytes);
      const Outcome o = run({"train", "--data", set, "--data-dir", data.path, "--out", scratch / "new"});
      CHECK(o.status == 4);
      CHECK_MESSAGE(contains(o.err, what), o.err);
      CHECK_MESSAGE(contains(o.err, "; get the set again with evenkeel data fetch"), o.err);
      CHECK(!fs::exists(scratch / "new"));
    }
  }
}

TEST_CASE("files: initial weights are a file's where their name has a dot or a slash, whatever its ending") {
  const Scratch scratch;
  const Arguments train{"train", "--samples", "200", "--model", "mlp:8", "--epochs", "1", "--lr", "1e-30", "--out"};
  for (const char* name : {"weights", "weights.st", "gaussian:0.5"}) {
    fs::copy_file(network(), scratch / name);
    const Outcome o = run(train + Arguments{scratch / "run", "--overwrite", "--init", scratch / name});
    CHECK_MESSAGE(o.status == 0, o.err);
    CHECK(evenkeel::read_safetensors(scratch / "run/last.safetensors").find("1.weight")->bytes ==
          evenkeel::read_safetensors(network()).find("1.weight")->bytes);
  }
  CHECK(run(train + Arguments{scratch / "run", "--overwrite", "--init", "nothing.st"}).status == 3);
  for (const char* init : {"nothing", "gaussian:0.5x", "gaussian:1/2"})
    CHECK(run(train + Arguments{scratch / "run", "--overwrite", "--init", init}).status == 2);
}

TEST_CASE("files: a standard output that is full or closed ends every command with status 5") {
  const Scratch scratch;
  const std::string commands[] = {"--version",
                                  "--help",
                                  "train --help",
                                  "model --model mlp",
                                  "model --list",
                                  "data list",
                                  "lab list",
                                  "eval " + network(),
                                  "export " + network() + " --format npz --out " + scratch / "x.npz",
                                  "doctor " + network() + " --samples 100",
                                  "plot " + fs::path(network()).parent_path().string() + " --out " + scratch / "x.svg",
                                  "train --samples 100 --model mlp:8 --epochs 1 --overwrite --out " + scratch / "run"};
  for (const std::string& command : commands) {
    if (command.starts_with("lab") && !fs::exists(fs::path(program).parent_path() / "evenkeel-lab")) continue;
    for (const char* where : {">/dev/full", ">&-"}) {
      CAPTURE(command);
      CAPTURE(where);
      CHECK(shell("exec " + program + " " + command + " " + where, scratch / "err") == 5);
      const char* said =
          where == std::string(">&-") ? "standard output is closed" : "standard output cannot be written";
      CHECK_MESSAGE(contains(slurp(scratch / "err"), said), slurp(scratch / "err"));
    }
    CHECK(shell("exec " + program + " " + command + " >/dev/null") == 0);
  }
  CHECK(shell("exec " + program + " eval nosuch >/dev/full 2>/dev/full") == 3);
  // A run is not lost for what it cannot print, and nothing it prints ends up in its files.
  CHECK(shell("exec " + program + " train --samples 100 --model mlp:8 --epochs 2 --out " + scratch / "kept" +
              " >/dev/full") == 5);
  CHECK(run({"eval", scratch / "kept/last.safetensors"}).status == 0);
  CHECK(shell("exec " + program + " train --samples 100 --model mlp:8 --epochs 2 --out " + scratch / "closed" +
              " <&- >/dev/null 2>&-") == 0);
  CHECK(run({"eval", scratch / "closed/last.safetensors"}).status == 0);
}

#if !defined(EVENKEEL_SANITIZER)  // its shadow memory needs terabytes of addresses
TEST_CASE("files: where there is little address space the program ends") {
  const Scratch scratch;
  for (const int limit : {100'000, 150'000, 400'000}) {
    CAPTURE(limit);
    const int status =
        shell(fmt::format("ulimit -v {}; exec {} --version >/dev/null", limit, program), scratch / "err");
    CHECK((status == 0 || (status == 3 && limit < 400'000)));
    CHECK(contains(slurp(scratch / "err"), "raise the limit (ulimit -v)") == (status == 3));
  }
}
#endif

TEST_CASE("files: an option that JSON cannot hold is refused before a run begins") {
  const Scratch scratch;
  const Outcome o = run({"train", "--data-dir", scratch / "lat\xe9", "--out", scratch / "run"});
  CHECK(o.status == 2);
  CHECK_MESSAGE(contains(o.err, "--data-dir: must be text in UTF-8"), o.err);
  CHECK(evenkeel::is_utf8(o.err));
  CHECK(!fs::exists(scratch / "run"));
  // A folder of results is not kept in a file.
  const Outcome named =
      run({"train", "--samples", "100", "--model", "mlp:8", "--epochs", "1", "--out", scratch / "lat\xe9"});
  CHECK_MESSAGE(named.status == 0, named.err);
  CHECK(nlohmann::json::accept(slurp(scratch / "lat\xe9/config.json")));
}
