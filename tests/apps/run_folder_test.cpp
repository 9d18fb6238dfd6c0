// The folder of a run belongs to one run, and what is in it stays until there is something better; a run goes on from
// what it was.
#include "apps/train/run_folder.h"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "layers/model/safetensors.h"
#include "tests/apps/process.h"
#include "tests/data_files.h"

namespace {

namespace fs = std::filesystem;
using evenkeel::Fault;
using evenkeel::RunFolder;

const Arguments quick_run{"train", "--samples", "200", "--model", "mlp:8", "--epochs", "1", "--threads", "1"};
// As long as one likes: to be stopped.
const Arguments endless{"train", "--samples", "200",    "--batch-size", "10", "--model",
                        "mlp:8", "--epochs",  "100000", "--threads",    "1"};

std::map<std::string, std::string> files_in(const std::string& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::directory_iterator(folder)) files[entry.path().filename()] = slurp(entry.path());
  return files;
}

std::string changed(std::string text, const std::string& from, const std::string& to) {
  REQUIRE(contains(text, from));
  return text.replace(text.find(from), from.size(), to);
}

}  // namespace

TEST_CASE("run folder: while one run works in it a second one is refused and told who does; after kill -9 it is free") {
  const Scratch scratch;
  const std::string out = scratch / "run";
  Process first(endless + Arguments{"--out", out});
  REQUIRE(wait_until(first, [&] { return fs::exists(out + "/last.safetensors"); }));
  const std::string config = slurp(out + "/config.json");
  for (const Arguments& second :
       {quick_run + Arguments{"--out", out, "--overwrite"}, Arguments{"train", "--resume", out}}) {
    const Outcome o = run(second);
    CHECK(o.status == 2);
    CHECK_MESSAGE(contains(o.err, out + " is in use by process "), o.err);
    CHECK(contains(o.err, " since 2"));
  }
  CHECK(slurp(out + "/config.json") == config);
  first.send(SIGKILL);
  CHECK(first.wait().status == -SIGKILL);
  CHECK(run(quick_run + Arguments{"--out", out}).status == 2);  // not empty
  const Outcome after = run(quick_run + Arguments{"--out", out, "--overwrite"});
  CHECK_MESSAGE(after.status == 0, after.err);
  CHECK(!fs::exists(out + "/.lock"));
}

TEST_CASE("run folder: of two runs that begin together one has the folder") {
  const Scratch scratch;
  const std::string out = scratch / "run";
  for (int i = 0; i < 3; ++i) {
    Process a(quick_run + Arguments{"--seed", "1", "--out", out}),
        b(quick_run + Arguments{"--seed", "2", "--out", out});
    const int first = a.wait().status, second = b.wait().status;
    CHECK(std::min(first, second) == 0);
    CHECK(std::max(first, second) == 2);
    const auto config = nlohmann::json::parse(slurp(out + "/config.json"));
    const auto weights = evenkeel::read_safetensors(out + "/last.safetensors");
    CHECK(weights.metadata.at("seed") == config["options"]["seed"].dump());
    fs::remove_all(out);
  }
}

TEST_CASE("run folder: without --out each run of a sweep has its own") {
  const Scratch scratch;
  for (const char* lr : {"0.1", "0.2", "0.3", "0.4 --overwrite"}) {
    const std::string command =
        "cd " + scratch.path + " && " EVENKEEL_PROGRAM " train --samples 200 --model mlp:8 --epochs 1 --lr " + lr;
    CHECK(std::system((command + " >/dev/null 2>&1").c_str()) == 0);
  }
  for (const auto& [name, lr] : {std::pair{"", 0.4}, {"-2", 0.2}, {"-3", 0.3}}) {
    const std::string config = slurp(scratch / "runs/synthetic-mlp_8-batch-1" + name + "/config.json");
    REQUIRE(!config.empty());
    CHECK(nlohmann::json::parse(config)["options"]["lr"] == lr);
  }
}

TEST_CASE("run folder: --overwrite leaves what is there until an epoch is done, whatever happens before") {
  const Scratch scratch;
  const std::string out = scratch / "run";
  REQUIRE(run(quick_run + Arguments{"--out", out}).status == 0);
  REQUIRE(chmod((out + "/best.safetensors").c_str(), 0600) == 0);
  const auto before = files_in(out);
  const Arguments over{"--out", out, "--overwrite"};
  // Usage errors, a file of weights that is bad, a run that diverges, one that is killed before it saves.
  CHECK(run(quick_run + over + Arguments{"--batch-size", "1"}).status == 2);
  CHECK(run(quick_run + over + Arguments{"--data", "nosuch"}).status == 2);
  CHECK(run(quick_run + over + Arguments{"--init", scratch / "none.safetensors"}).status == 3);
  CHECK(files_in(out) == before);
  // A file that is read-only is not replaced, which is found out before the training.
  REQUIRE(chmod((out + "/log.csv").c_str(), 0444) == 0);
  for (const Arguments& more : {Arguments{}, {"--check"}}) {
    const Outcome kept = run(quick_run + over + more);
    CHECK(kept.status == 5);
    CHECK_MESSAGE(contains(kept.err, "cannot write " + out + "/log.csv: it is read-only"), kept.err);
  }
  CHECK(files_in(out) == before);
  REQUIRE(chmod((out + "/log.csv").c_str(), 0644) == 0);
  const Outcome diverged = run(
      quick_run + over + Arguments{"--norm", "none", "--batch-size", "10", "--lr", "1e9", "--schedule", "constant"});
  CHECK_MESSAGE(diverged.status == 1, diverged.err);
  CHECK(files_in(out) == before);
  Process killed(endless + over +
                 Arguments{"--samples", "9000", "--batch-size", "1", "--norm", "none", "--model", "mlp:512"});
  REQUIRE(wait_until(killed, [&] { return fs::exists(out + "/.next/config.json"); }));
  killed.send(SIGKILL);
  killed.wait();
  for (const auto& [name_, contents] : before) {
    const auto& name = name_;
    CHECK_MESSAGE(slurp(out + "/" + name) == contents, name);
  }

  const Outcome nothing = run({"train", "--resume", out});
  CHECK(nothing.status == 3);
  CHECK_MESSAGE(contains(nothing.err, "train --config " + out + "/.next/config.json --out " + out + " --overwrite"),
                nothing.err);
  CHECK(fs::exists(out + "/.next/config.json"));

  // Stopped in its first epoch it can go on, and then takes the earlier one's place; the weights it began with may be
  // the earlier one's.
  Process stopped(quick_run + over +
                  Arguments{"--init", out + "/best.safetensors", "--samples", "10000", "--batch-size", "2",
                            "--checkpoint-every", "100"});
  REQUIRE(wait_until(stopped, [&] { return fs::exists(out + "/.next/last.safetensors"); }));
  stopped.send(SIGINT);
  const Outcome o = stopped.wait();
  CHECK_MESSAGE(o.status == 130, o.err);
  CHECK(contains(o.err, "evenkeel train --resume " + out + "\n"));
  for (const auto& [name_, contents] : before) {
    const auto& name = name_;
    CHECK_MESSAGE(slurp(out + "/" + name) == contents, name);
  }
  const Outcome resumed = run({"train", "--resume", out});
  CHECK_MESSAGE(resumed.status == 0, resumed.err);
  const auto after = files_in(out);
  CHECK(after.size() == before.size());
  for (const auto& [name_, contents] : before) {
    const auto& name = name_;
    CHECK_MESSAGE(after.at(name) != contents, name);
  }
  struct stat status {};
  REQUIRE(stat((out + "/best.safetensors").c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0600);
}

TEST_CASE(
    "run folder: a run whose first epoch finds no room leaves nothing, and says so; a later one says how to go on") {
  const Scratch scratch;
  const std::string out = scratch / "run";
  // Bytes that a file may have: less than the settings, the drawing, the weights, the weights with their momentum.
  for (const rlim_t most : {1000, 2000, 20000, 40000}) {
    CAPTURE(most);
    Process process(quick_run + Arguments{"--out", out}, {}, false, [&] {
      const rlimit limit{most, most};
      setrlimit(RLIMIT_FSIZE, &limit);
    });
    const Outcome o = process.wait();
    CHECK(o.status == 5);
    CHECK_MESSAGE(contains(o.err, "File too large. When this is mended: start the run again"), o.err);
    CHECK(!fs::exists(out));
  }
  REQUIRE(run(quick_run + Arguments{"--out", out}).status == 0);
  const auto before = files_in(out);
  for (const Arguments& more : {Arguments{"train", "--resume", out, "--epochs", "2"},
                                quick_run + Arguments{"--out", out, "--overwrite", "--seed", "2"}}) {
    Process process(more, {}, false, [] {
      const rlimit limit{40000, 40000};
      setrlimit(RLIMIT_FSIZE, &limit);
    });
    const Outcome o = process.wait();
    CHECK(o.status == 5);
    CHECK_MESSAGE(
        contains(o.err, "File too large. When this is mended: " +
                            (more[1] == "--resume" ? "evenkeel train --resume " + out : "start the run again")),
        o.err);
    CHECK(files_in(out) == before);
  }
}

TEST_CASE("run folder: a replacement that was cut short anywhere is finished by whoever comes next") {
  for (int done = 0; done <= 5; ++done) {
    const Scratch scratch;
    const char* files[] = {"log.csv", "curves.svg", "best.safetensors", "config.json", "last.safetensors"};
    fs::create_directory(scratch / ".ready");
    for (int i = 0; i < 5; ++i) {
      if (i >= done) save(scratch / ".ready/" + files[i], "new");
      save(scratch / files[i], i < done ? "new" : "old");
    }
    const RunFolder folder(scratch.path, RunFolder::Use::resume);
    for (const char* file : files) CHECK(slurp(folder / file) == "new");
    CHECK(!fs::exists(scratch / ".ready"));
  }
}

TEST_CASE("run folder: while a replacement is cut short anywhere, readers show the new run alone") {
  const Scratch scratch;
  const std::string earlier = scratch / "earlier/run", later = scratch / "later/run", cut = scratch / "cut/run";
  REQUIRE(run(quick_run + Arguments{"--out", earlier}).status == 0);
  REQUIRE(run(quick_run + Arguments{"--out", later, "--model", "mlp:9", "--epochs", "2", "--lr", "0.01"}).status == 0);
  const auto shown = [](const std::string& folder) {
    std::string all;
    const std::string best = folder + "/best.safetensors", picture = folder + "/../picture.svg";
    for (const Arguments& reader : {Arguments{"runs", folder}, {"eval", folder}, {"doctor", folder}, {"doctor", best}})
      all += run(reader).out + "\n";
    for (const char* log : {"", "/last.safetensors", "/log.csv"}) {
      CHECK(run({"plot", folder + log, "--out", picture}).status == 0);
      all += slurp(picture);
    }
    for (const std::string& network : {folder, best}) {
      fs::remove(folder + "/best.npz");
      CHECK(run({"export", network, "--format", "npz"}).status == 0);
      CHECK(fs::exists(folder + "/best.npz"));  // not where the next process removes it
      all += slurp(folder + "/best.npz");
    }
    return all;
  };
  const std::string complete = shown(later);
  const std::vector<std::string> files{"log.csv", "curves.svg", "best.safetensors", "config.json", "last.safetensors"};
  for (size_t moved = 0; moved <= files.size(); ++moved) {
    CAPTURE(moved);
    fs::remove_all(cut);
    fs::create_directories(cut + "/.ready");
    for (size_t i = 0; i < files.size(); ++i) {
      fs::copy_file((i < moved ? later : earlier) + "/" + files[i], cut + "/" + files[i]);
      if (i >= moved) fs::copy_file(later + "/" + files[i], cut + "/.ready/" + files[i]);
    }
    const bool same = shown(cut) == complete;
    CHECK(same);
  }
}

TEST_CASE("run folder: a process killed before its run had settings leaves the earlier run as it was") {
  const Scratch scratch;
  save(scratch / "config.json", "earlier");
  fs::create_directory(scratch / ".next");
  save(scratch / ".next/config.json.0123456789ab.part", "begin");
  CHECK(RunFolder(scratch.path, RunFolder::Use::look) / "config.json" == scratch / "config.json");
  const RunFolder folder(scratch.path, RunFolder::Use::resume);
  CHECK(slurp(folder / "config.json") == "earlier");
  CHECK(!fs::exists(scratch / ".next"));
}

// As users link checkpoints to a larger disk, and as every other output does.
TEST_CASE("run folder: --overwrite follows a link in the folder, and keeps the permissions of what it replaces") {
  const Scratch scratch;
  const std::string out = scratch / "run";
  REQUIRE(run(quick_run + Arguments{"--out", out}).status == 0);
  std::vector<std::string> places{scratch / "elsewhere"};
  if (fs::is_directory("/dev/shm")) places.push_back("/dev/shm/" + fs::path(scratch.path).filename().string());
  for (const std::string& place : places) {
    fs::create_directory(place);
    const std::string link = out + "/last.safetensors", file = place + "/last.safetensors";
    save(file, "earlier");
    REQUIRE(chmod(file.c_str(), 0640) == 0);
    fs::remove(link);
    fs::create_symlink(file, link);
    const Outcome again = run(quick_run + Arguments{"--out", out, "--overwrite"});
    CHECK_MESSAGE(again.status == 0, again.err);
    CHECK(fs::is_symlink(link));
    CHECK(slurp(file) == slurp(out + "/last.safetensors"));
    CHECK(slurp(file) != "earlier");
    CHECK(fs::status(file).permissions() == static_cast<fs::perms>(0640));
    fs::remove_all(place);
    fs::remove(link);
    fs::copy_file(out + "/best.safetensors", link);
  }
}

TEST_CASE("run folder: one that cannot be listed is not called full") {
  const Scratch scratch;
  Process p(quick_run + Arguments{"--out", scratch / "run"}, {}, false, [] {
    for (int file = STDERR_FILENO + 1; file < 1024; ++file) close(file);
    const rlimit limit{4, 4};  // the lock takes the last one
    setrlimit(RLIMIT_NOFILE, &limit);
  });
  const Outcome o = p.wait();
  CHECK(o.status == 5);
  CHECK_MESSAGE(contains(o.err, "run: the folder cannot be listed: Too many open files"), o.err);
  CHECK(!fs::exists(scratch / "run"));
}

TEST_CASE(
    "resume: a longer run that was killed before its config.json had the new epochs gets them by the same command") {
  const Scratch scratch;
  const std::string out = scratch / "run", config = out + "/config.json";
  REQUIRE(run(quick_run + Arguments{"--out", out}).status == 0);
  const std::string before = slurp(config);
  const Arguments longer{"train", "--resume", out, "--epochs", "2"};
  REQUIRE(run(longer).status == 0);
  save(config, before);
  const Outcome again = run(longer);
  CHECK_MESSAGE(again.status == 0, again.err);
  CHECK(nlohmann::json::parse(slurp(config))["options"]["epochs"] == 2);
  const Outcome plain = run({"train", "--resume", out});
  CHECK_MESSAGE(plain.status == 0, plain.err);
}

TEST_CASE("run folder: what a killed process left beside the files is gone when the next one has worked there") {
  const Scratch scratch;
  const std::string out = scratch / "run";
  REQUIRE(run(quick_run + Arguments{"--out", out}).status == 0);
  for (const Arguments& next : {quick_run + Arguments{"--out", out, "--overwrite"}, {"train", "--resume", out}}) {
    for (const char* file : {"config.json", "log.csv", "curves.svg", "best.safetensors", "last.safetensors"})
      save(out + "/" + file + ".0123456789ab.part", "beginning");
    save(out + "/last.safetensors.part", "the user's own");
    CHECK(run(next).status == 0);
    std::set<std::string> left;
    for (const auto& [name, contents] : files_in(out))
      if (name.ends_with(".part")) left.insert(name);
    CHECK(left == std::set<std::string>{"last.safetensors.part"});
  }
}

TEST_CASE("resume: other data, another network, other options than the run's are refused, with both values") {
  const Scratch scratch;
  const auto save_set = [&](int images, uint8_t value) {
    fs::create_directories(scratch / "data/mnist");
    std::vector<uint8_t> pixels(784), labels(10);
    for (size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<uint8_t>(i % 7 * 30);
    pixels[5] = value;
    for (size_t i = 0; i < labels.size(); ++i) labels[i] = static_cast<uint8_t>(i);
    const auto n = static_cast<uint32_t>(images);
    for (const char* part : {"train", "t10k"}) {
      save(scratch / "data/mnist/" + part + "-images-idx3-ubyte", idx({n, 28, 28}, pixels));
      save(scratch / "data/mnist/" + part + "-labels-idx1-ubyte", idx({n}, labels));
    }
  };
  save_set(40, 0);
  const std::string out = scratch / "run", config = out + "/config.json";
  REQUIRE(run({"train", "--data", "mnist", "--data-dir", scratch / "data", "--model", "mlp:8", "--epochs", "1",
               "--batch-size", "8", "--out", out})
              .status == 0);
  const std::string good = slurp(config);
  const Arguments resume{"train", "--resume", out};
  const auto refused = [&](const Arguments& arguments, const std::string& what) {
    const Outcome o = run(arguments);
    CHECK(o.status == 2);
    CHECK_MESSAGE(contains(o.err, what), o.err);
  };
  const Arguments again{"train", "--config", config, "--out", scratch / "again"};
  save_set(50, 0);
  refused(resume, "images/training: 40 there, 50 now");
  refused(again, "images/training: 40 there, 50 now");
  save_set(40, 1);
  refused(resume, "images/crc32: ");
  refused(again, "images/crc32: ");
  CHECK(!fs::exists(scratch / "again"));
  save_set(40, 0);

  save(config, changed(good, "\"lr\": 0.05", "\"lr\": 0.06"));
  refused(resume, "options/lr: 0.05 there, 0.06 now");
  save(config, changed(good, "\"model\": \"mlp:8\"", "\"model\": \"mlp:9\""));
  refused(resume, "options/model: \"mlp:8\" there, \"mlp:9\" now");
  save(config, changed(good, "\"parameters\": ", "\"parameters\": 1"));
  refused(again, "network/parameters: 1");
  save(config, changed(good, "\"model\": \"mlp:8\"", "\"model\": \"conv:x\""));
  for (const Arguments& more : {Arguments{}, {"--threads", "2"}, {"--epochs", "2"}}) {
    const Outcome o = run(resume + more);
    CHECK(o.status == 4);
    CHECK_MESSAGE(contains(o.err, config + ": model: conv's filters must be a number"), o.err);
  }
  save(config, good);

  // What is meant to change may: other threads, another folder of the same data; with --config all that is said.
  fs::rename(scratch / "data", scratch / "moved");
  const Arguments moved{"--data-dir", scratch / "moved"};
  CHECK(run(resume + moved + Arguments{"--threads", "2"}).status == 0);
  for (const Arguments& other :
       {Arguments{}, {"--lr", "0.1"}, {"--model", "mlp:9"}, {"--samples", "20"}, {"--data", "synthetic"}}) {
    const Outcome o = run(again + moved + other + Arguments{"--overwrite"});
    CHECK_MESSAGE(o.status == 0, o.err);
  }
}
