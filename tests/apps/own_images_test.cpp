// A user's own pictures, from the command line alone: train, evaluate, predict, refine, go on for longer; and what is
// refused.
#include <doctest/doctest.h>
#include <sys/stat.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>

#include "layers/model/safetensors.h"
#include "tests/apps/npz_array.h"
#include "tests/apps/process.h"
#include "tests/apps/shapes.h"
#include "tests/apps/tiny_data.h"
#include "tests/data_files.h"
#include "tests/pictures.h"

namespace {

namespace fs = std::filesystem;

// Two classes of three small pictures.
void save_small(const std::string& folder, int more = 0) {
  for (const std::string kind : {"a", "b"}) {
    fs::create_directories(folder + "/" + kind);
    for (int i = 0; i < 3 + more; ++i)
      save(folder + "/" + kind + "/" + std::to_string(i) + ".png",
           png({2, 2, 1, {static_cast<uint8_t>(40 * i), static_cast<uint8_t>(kind[0]), 3, 4}}));
  }
}

Arguments small_run(const std::string& data, const std::string& out) {
  return {"train",        "--data", data,        "--model", "mlp:4", "--epochs", "1",
          "--batch-size", "2",      "--holdout", "0.34",    "--out", out};
}

double accuracy_in(const std::string& line) { return std::stod(line.substr(line.find("accuracy ") + 9)); }

}  // namespace

TEST_CASE("own pictures: train, evaluate, predict, refine for other classes, go on for longer") {
  const Scratch scratch;
  const std::vector<std::string> kinds = {"cross", "disc", "frame"};
  const std::string model =
      "conv:16:5 norm act maxpool:2 conv:24:3 norm act maxpool:2 conv:32:3 norm act global_avgpool dense:classes";
  save_shapes(scratch / "shapes", kinds, 160, 1);
  for (const char* hidden : {".DS_Store", "._x.jpg", "Thumbs.db", "thumbs.db", "Desktop.ini"})
    save(scratch / "shapes/disc/" + hidden, "nothing");
  const Arguments train{"train",
                        "--data",
                        scratch / "shapes",
                        "--image-size",
                        "24",
                        "--color",
                        "gray",
                        "--batch-size",
                        "32",
                        "--lr",
                        "0.02",
                        "--threads",
                        "1"};
  const std::string run_folder = scratch / "run", best = run_folder + "/best.safetensors";
  const Outcome trained = run(train + Arguments{"--model", model, "--epochs", "8", "--out", run_folder});
  REQUIRE_MESSAGE(trained.status == 0, trained.err);
  CHECK_MESSAGE(accuracy_in(last_line(trained.out)) > 0.95, trained.out);
  CHECK_MESSAGE(
      contains(trained.err, "3 classes (cross 160, disc 160, frame 160), 20 % of each held out to be the test set"),
      trained.err);
  const auto config = nlohmann::json::parse(slurp(run_folder + "/config.json"));
  CHECK(config["options"]["image-size"].dump().find("24") != std::string::npos);
  CHECK(config["options"]["holdout"] == 0.2);
  CHECK(config["images"]["training"] == 384);
  CHECK(config["images"]["test"] == 96);

  // No linear function of the pixels tells the classes.
  const Outcome linear = run(train + Arguments{"--model", "flatten dense:classes", "--norm", "none", "--epochs", "8",
                                               "--out", scratch / "linear"});
  CHECK_MESSAGE(accuracy_in(last_line(linear.out)) < 0.6, linear.out);

  // The checkpoint alone says size, colour, classes and what was held out.
  const Outcome same = run({"eval", run_folder + "/last.safetensors"});
  CHECK_MESSAGE(contains(same.out, "of 96)"), (same.out + same.err));
  CHECK(accuracy_in(same.out) == accuracy_in(last_line(trained.out)));
  save_shapes(scratch / "new/test", {"disc", "frame"}, 40, 2);  // no cross: the others keep their numbers
  const Outcome other = run({"eval", best, "--data", scratch / "new"});
  CHECK_MESSAGE(accuracy_in(other.out) > 0.9, (other.out + other.err));
  CHECK(contains(other.out, "of 80)"));

  const Outcome seen = run({"predict", best, scratch / "new/test/disc", scratch / "new/test/frame/1.png"});
  CHECK_MESSAGE(seen.status == 0, seen.err);
  std::istringstream lines(seen.out);
  int discs = 0, count = 0;
  for (std::string line; std::getline(lines, line); ++count) discs += contains(line, ": disc ");
  CHECK(count == 41);
  CHECK_MESSAGE(discs >= 37, seen.out);
  CHECK(contains(seen.out, "new/test/frame/1.png: "));
  const Outcome json = run({"predict", best, "--json", scratch / "new/test/disc/1.png"});
  const auto object = nlohmann::json::parse(json.out);
  CHECK(object["class"] == "disc");
  CHECK(object["probabilities"].size() == 3);
  double sum = 0;
  for (const auto& [name, p] : object["probabilities"].items()) sum += p.get<double>();
  CHECK(sum == doctest::Approx(1));
  // The probabilities are those of the outputs that eval writes, for the same pictures in the same order.
  REQUIRE(run({"eval", best, "--data", scratch / "new", "--logits", scratch / "l.npz"}).status == 0);
  const Array logits = array_of(scratch / "l.npz", "logits");
  std::istringstream objects(
      run({"predict", best, "--json", scratch / "new/test/disc", scratch / "new/test/frame"}).out);
  size_t image = 0;
  for (std::string line; std::getline(objects, line); ++image) {
    double all = 0;
    for (size_t c = 0; c < 3; ++c) all += std::exp(static_cast<double>(logits.at<float>(3 * image + c)));
    const auto p = nlohmann::json::parse(line)["probabilities"];
    for (size_t c = 0; c < 3; ++c)
      CHECK(std::abs(p[std::vector{"cross", "disc", "frame"}[c]].get<double>() -
                     std::exp(static_cast<double>(logits.at<float>(3 * image + c))) / all) < 1e-5);
  }
  CHECK(image == 80);
  const std::string piped =
      EVENKEEL_PROGRAM " predict " + best + " - < " + scratch / "new/test/disc/1.png" + " > " + scratch / "piped";
  CHECK(std::system(piped.c_str()) == 0);
  const std::string piped_line = slurp(scratch / "piped"),
                    file_line = run({"predict", best, scratch / "new/test/disc/1.png"}).out;
  CHECK(piped_line.substr(1) == file_line.substr(file_line.find("1.png") + 5));  // the same to the digit

  save(scratch / "text.png", "not a picture");
  const Outcome partly = run({"predict", best, scratch / "text.png", scratch / "new/test/disc/1.png"});
  CHECK(partly.status == 4);
  CHECK(contains(partly.err, "text.png: is no picture"));
  CHECK(contains(partly.out, "disc/1.png: disc"));

  // As another program's file, the network is one of the options', and the pictures are read as they say.
  const Outcome as_own = run({"eval", best, "--model", model, "--data", scratch / "shapes"});
  CHECK_MESSAGE(as_own.out == run({"eval", best}).out, as_own.err);
  REQUIRE(run({"export", best, "--format", "safetensors", "--out", scratch / "bare.safetensors"}).status == 0);
  const Outcome bare = run({"eval", scratch / "bare.safetensors", "--model", model, "--data", scratch / "shapes",
                            "--image-size", "24", "--color", "gray"});
  CHECK_MESSAGE(bare.out == as_own.out, bare.err);
  const Outcome sized = run({"eval", best, "--image-size", "24"});
  CHECK(sized.status == 2);
  CHECK_MESSAGE(contains(sized.err, "--image-size requires --model"), sized.err);

  // Another number of classes.
  save_shapes(scratch / "four", {"bar", "cross", "disc", "frame"}, 40, 3);
  const Outcome refined = run({"train", "--data", scratch / "four", "--image-size", "24", "--color", "gray", "--model",
                               model, "--init", best, "--epochs", "1", "--out", scratch / "refined"});
  CHECK_MESSAGE(refined.status == 0, refined.err);
  CHECK_MESSAGE(
      contains(refined.err, "it is for 3 classes, not 4: the last layer (12) is made new, the others are the file's"),
      refined.err);

  // For longer.
  const Outcome shorter = run({"train", "--resume", run_folder, "--epochs", "7"});
  CHECK(shorter.status == 2);
  CHECK_MESSAGE(contains(shorter.err, "--epochs can make it longer, not shorter"), shorter.err);
  const Outcome longer = run({"train", "--resume", run_folder, "--epochs", "9"});
  CHECK_MESSAGE(longer.status == 0, longer.err);
  // Of the last of 8 times 12 steps, and of the one that follows it in 9 times 12.
  const auto rate = [](double part) { return 0.01 * (1 + std::cos(3.14159265358979 * part)); };
  CHECK_MESSAGE(contains(longer.err,
                         fmt::format("9 epochs instead of 8: the schedule cosine now covers all of them; the learning "
                                     "rate changes from {:.3g} to {:.3g}\n",
                                     rate(95.0 / 96), rate(96.0 / 108))),
                longer.err);
  CHECK(contains(last_line(longer.out), "after 9 epochs"));
  CHECK(nlohmann::json::parse(slurp(run_folder + "/config.json"))["options"]["epochs"] == 9);
  CHECK(run({"train", "--resume", run_folder}).status == 0);
}

TEST_CASE("own pictures: eval says that a folder has changed, so that other images are held out") {
  const Scratch scratch;
  save_small(scratch / "data");
  REQUIRE(run(small_run(scratch / "data", scratch / "run")).status == 0);
  const auto said = [&] {
    const Outcome o = run({"eval", scratch / "run"});
    CHECK(o.status == 0);
    return contains(o.err, "images that the network was trained on may be among the test images");
  };
  CHECK_FALSE(said());
  save_small(scratch / "data", 2);
  CHECK(said());
  // Also where the folder is given: by another name, or a changed copy of it.
  fs::create_directory_symlink("data", scratch / "link");
  fs::copy(scratch / "data", scratch / "moved", fs::copy_options::recursive);
  save_small(scratch / "copy");
  save_small(scratch / "parts/test");
  const auto said_of = [&](const std::string& folder) {
    const Outcome o = run({"eval", scratch / "run", "--data", scratch / folder});
    CHECK_MESSAGE(o.status == 0, o.err);
    return contains(o.err, "files came, went or changed")                  ? "changed"
           : contains(o.err, "if the two folders have pictures in common") ? "another"
                                                                           : "";
  };
  CHECK(said_of("data") == std::string("changed"));
  CHECK(said_of("./data/") == std::string("changed"));
  CHECK(said_of("link") == std::string("changed"));
  CHECK(said_of("moved") == std::string("another"));
  CHECK(said_of("copy") == std::string());   // the same test images
  CHECK(said_of("parts") == std::string());  // nothing is held out
}

TEST_CASE("own pictures: a folder that is not there is not taken for a data set") {
  const Scratch scratch;
  save_small(scratch / "data");
  for (const Arguments& sized : {Arguments{}, {"--image-size", "24"}, {"--color", "gray"}}) {
    for (const Arguments& command : {Arguments{"train", "--data", "shpaes"}, {"data", "show", "shpaes"}}) {
      const Outcome o = run(command + sized);
      CHECK(o.status == 2);
      CHECK_MESSAGE(contains(o.err, "shpaes is neither a data set"), o.err);
      CHECK_MESSAGE(contains(o.err, "nor a file or folder in /"), o.err);
    }
  }
  // From another folder than the training's, by a name without a slash.
  const std::string in_it = "cd " + scratch.path + " && " EVENKEEL_PROGRAM " ";
  REQUIRE(
      std::system((in_it + "train --data data --image-size 3 --model mlp:4 --epochs 1 --batch-size 2 --holdout 0.34 "
                           "--out run >/dev/null 2>&1")
                      .c_str()) == 0);
  const Outcome resumed = run({"train", "--resume", scratch / "run", "--epochs", "2"});
  CHECK(resumed.status != 0);
  CHECK_MESSAGE(contains(resumed.err, "data is neither a data set"), resumed.err);
  const Outcome tested = run({"eval", scratch / "run"});
  CHECK(tested.status == 4);
  CHECK_MESSAGE(contains(tested.err, "it was trained on data, and there is no file or folder of this name in /"),
                tested.err);
}

TEST_CASE("own pictures: predict goes on after a folder that is empty or cannot be read, and does not end with 0") {
  const Scratch scratch;
  save_small(scratch / "data");
  REQUIRE(run(small_run(scratch / "data", scratch / "run")).status == 0);
  fs::create_directories(scratch / "empty");
  const std::string network = scratch / "run/best.safetensors", one = scratch / "data/b/1.png";
  const Outcome empty = run({"predict", network, scratch / "empty", one});
  CHECK(empty.status == 4);
  CHECK_MESSAGE(contains(empty.err, "empty: there is no picture in the folder"), empty.err);
  CHECK(contains(empty.out, "1.png: "));
  CHECK(run({"predict", network, scratch / "empty"}).status == 4);

  const Outcome both = Process({"predict", network, one, scratch / "empty", one, scratch / "nothing"}, {}, false, [] {
                         dup2(STDOUT_FILENO, STDERR_FILENO);
                       }).wait();
  CHECK_MESSAGE(both.out.find("1.png: ") < both.out.find("there is no picture"), both.out);
  CHECK_MESSAGE(both.out.rfind("1.png: ") < both.out.find("there is no file"), both.out);

  fs::create_directories(scratch / "data/a/closed");
  for (const std::string& folder : {scratch.path, scratch / "run", scratch / "data", scratch / "data/a"})
    REQUIRE(chmod(folder.c_str(), 0755) == 0);
  REQUIRE(chmod((scratch / "data/a/closed").c_str(), 0) == 0);
  Process process({"predict", network, scratch / "data/a/closed", scratch / "data/a", one}, {}, false, [] {
    if (geteuid() == 0 && setuid(65534) != 0) _exit(98);  // root may read all
  });
  const Outcome closed = process.wait();
  CHECK(closed.status == 5);
  CHECK_MESSAGE(contains(closed.err, "data/a/closed: Permission denied"), closed.err);
  CHECK_FALSE(contains(closed.err, "there is no picture"));
  CHECK(std::count(closed.out.begin(), closed.out.end(), '\n') == 4);
}

TEST_CASE("own pictures: --init onto other classes of the same number makes the last layer fit them, and says so") {
  const Scratch scratch;
  save_small(scratch / "data");
  REQUIRE(run(small_run(scratch / "data", scratch / "run")).status == 0);
  for (const auto& [folder, a, b] :
       {std::tuple{"same", "a", "b"}, std::tuple{"turned", "z_of_a", "b"}, std::tuple{"other", "a", "c"}}) {
    fs::create_directory(scratch / folder);
    fs::copy(scratch / "data/a", scratch / folder + "/" + a, fs::copy_options::recursive);
    fs::copy(scratch / "data/b", scratch / folder + "/" + b, fs::copy_options::recursive);
  }
  const auto last_layer = [](const std::string& file) {
    return evenkeel::read_safetensors(file).find("4.weight")->bytes;
  };
  const auto begun = [&](const std::string& folder, const std::string& from, const std::string& words) {
    const Outcome o = run(small_run(scratch / folder, scratch / "new") +
                          Arguments{"--overwrite", "--init", from, "--lr", "1e-30", "--schedule", "constant"});
    REQUIRE_MESSAGE(o.status == 0, o.err);
    if (words.empty())
      CHECK_FALSE(contains(o.err, "last layer"));
    else
      CHECK_MESSAGE(contains(o.err, words), o.err);
    return last_layer(scratch / "new/last.safetensors");
  };
  const std::string best = scratch / "run/best.safetensors", old = last_layer(best);
  CHECK((begun("same", best, "") == old));
  CHECK((begun("other", best, "it is for other classes (a, b): the last layer (4) is made new") != old));
  // The same names in another order: every class keeps its row.
  evenkeel::SafeTensors file = evenkeel::read_safetensors(best);
  file.metadata["class_names"] = R"(["b","a"])";
  evenkeel::write_safetensors(scratch / "ba.safetensors", file);
  const size_t half = old.size() / 2;
  CHECK((begun("same", scratch / "ba.safetensors",
               "it has the classes in another order: the rows of the last layer (4)") ==
         old.substr(half) + old.substr(0, half)));
}

TEST_CASE("own pictures: options beside --config may read them in another way") {
  const Scratch scratch;
  save_small(scratch / "data");
  REQUIRE(run(small_run(scratch / "data", scratch / "run")).status == 0);
  const Arguments again{"train", "--check", "--config", scratch / "run/config.json", "--out", scratch / "again"};
  for (const Arguments& change : {Arguments{}, {"--holdout", "0.6"}, {"--image-size", "9"}, {"--color", "rgb"}})
    CHECK(run(again + change).status == 0);
  std::ofstream(scratch / "data/a/1.png") << "no picture";
  CHECK(run(again + Arguments{"--skip-bad"}).status == 0);
  std::filesystem::remove(scratch / "data/a/1.png");
  CHECK(run(again).status == 2);
}

TEST_CASE("own pictures: no command writes below the folder that it reads") {
  const Scratch scratch;
  save_small(scratch / "data");
  const std::string picture = scratch / "data/a/1.png", before = slurp(picture);
  for (const std::string& out : {picture, scratch / "data/a/sheet.png"}) {
    const Outcome o = run({"data", "show", scratch / "data", "--out", out});
    CHECK(o.status == 2);
    CHECK(contains(o.err, "which is read; choose another folder"));
  }
  CHECK(slurp(picture) == before);
  const Outcome o = run(small_run(scratch / "data", scratch / "data/run"));
  CHECK(o.status == 2);
  CHECK(contains(o.err, "which is read; choose another folder"));
  CHECK_FALSE(fs::exists(scratch / "data/run"));

  // Into the folder itself, by any name, or where a link in it leads.
  const auto refused = [](const Arguments& command) {
    const Outcome o = run(command);
    CHECK(o.status == 2);
    CHECK_MESSAGE(contains(o.err, "which is read"), o.err);
  };
  fs::create_directory_symlink("data", scratch / "link");
  for (const char* out : {"data", "data/", "link", "link/b/run"})
    refused(small_run(scratch / "data", scratch / out) + Arguments{"--overwrite"});
  CHECK(std::distance(fs::directory_iterator(scratch / "data"), {}) == 2);
  fs::rename(scratch / "data/b", scratch / "elsewhere");
  fs::create_directory_symlink(scratch / "elsewhere", scratch / "data/b");
  refused(small_run(scratch / "data", scratch / "elsewhere/run"));
  refused({"data", "show", scratch / "data", "--out", scratch / "elsewhere/sheet.png"});
  fs::rename(scratch / "data/a/1.png", scratch / "picture");
  fs::create_symlink(scratch / "picture", scratch / "data/a/1.png");
  CHECK(run({"data", "show", scratch / "data", "--out", scratch / "picture"}).status == 2);
  CHECK(slurp(scratch / "picture") == before);
  for (const char* part : {"/train", "/val"}) fs::create_directories(scratch / "parts" + part);
  fs::remove(scratch / "parts/val");
  fs::create_directory_symlink(scratch / "data", scratch / "parts/val");
  for (const char* kind : {"a", "b"}) fs::copy(scratch / "data/a", scratch / "parts/train/" + kind);
  refused(small_run(scratch / "parts", scratch / "data/run"));
  CHECK(run({"data", "show", scratch / "parts", "--out", scratch / "sheet.png"}).status == 0);
}

TEST_CASE("own pictures: a file that is no picture stops the start by its name, or is passed over and counted") {
  const Scratch scratch;
  const std::string good = png(ramp(2, 2, 1));
  std::string bomb = jpeg(ramp(8, 8, 3));
  bomb.replace(bomb.find("\xff\xc0") + 5, 4, "\xea\x60\xea\x60");
  const std::pair<std::string, std::string> bad[] = {{good.substr(0, good.size() - 20), "x.png: a damaged PNG"},
                                                     {bomb, "x.png: claims 60000 x 60000 pixels"},
                                                     {"some text", "x.png: is no picture"},
                                                     {"GIF89a", "x.png: is a GIF file; PNG and JPEG are read"},
                                                     {"", "x.png: is empty"}};
  for (const auto& [bytes, message] : bad) {
    save_small(scratch / "data");
    save(scratch / "data/b/x.png", bytes);
    const Outcome refused = run(small_run(scratch / "data", scratch / "out"));
    CHECK(refused.status == 4);
    CHECK_MESSAGE(contains(refused.err, message), refused.err);
    CHECK(!fs::exists(scratch / "out"));
  }
  const Outcome skipped = run(small_run(scratch / "data", scratch / "out") + Arguments{"--skip-bad"});
  CHECK_MESSAGE(skipped.status == 0, skipped.err);
  CHECK_MESSAGE(contains(skipped.err, "1 file cannot be used, skipped:"), skipped.err);
  CHECK(run({"eval", scratch / "out/best.safetensors"}).status == 4);
  // Of two bad files one is found by its beginning, the other only when it is decoded.
  save(scratch / "data/b/y.png", good.substr(0, good.size() - 20));
  const Outcome both = run(small_run(scratch / "data", scratch / "two"));
  CHECK(both.status == 4);
  CHECK_MESSAGE(contains(both.err, "data: has files that cannot be used; --skip-bad skips and counts"), both.err);
  CHECK(contains(run(small_run(scratch / "data", scratch / "two") + Arguments{"--skip-bad"}).err,
                 "2 files cannot be used, skipped:"));
  CHECK(run({"eval", scratch / "out/best.safetensors", "--skip-bad"}).status == 0);
}

TEST_CASE("own pictures: a link that leads nowhere is named, as a picture, a class, a part and the folder itself") {
  const Scratch scratch;
  save_small(scratch / "data");
  save_small(scratch / "parts/train");
  for (const auto& [link, data, status] : {std::tuple{"data/b/x.png", "data", 4},
                                           {"data/c", "data", 3},
                                           {"parts/test", "parts", 3},
                                           {"link", "link", 3}}) {
    fs::create_symlink("/nowhere", scratch / link);
    const Outcome train = run(small_run(scratch / data, scratch / "out")),
                  show = run({"data", "show", scratch / data, "--out", scratch / "sheet.png"});
    for (const Outcome* o : {&train, &show}) {
      CHECK(o->status == status);
      CHECK_MESSAGE(contains(o->err, scratch / link + ": it is a symbolic link to /nowhere, which does not exist"),
                    o->err);
    }
    fs::remove(scratch / link);
  }
}

TEST_CASE("own pictures: names of every kind") {
  const Scratch scratch;
  save_small(scratch / "data");
  const std::string picture = png(ramp(2, 2, 1));
  const std::vector<std::string> names = {"with space",          "with\nnewline",      "quote\"'`$(x)",
                                          std::string(255, 'n'), "\xff\xfe not UTF-8", "-dash",
                                          "caf\xc3\xa9",         "steer\x1b[2J",       "turn\xe2\x80\xae"};
  for (const std::string& name : names) save(scratch / "data/b/" + name, picture);
  for (const std::string& name : {names[1], names[2], names[4]}) {
    fs::create_directories(scratch / "data/" + name);
    for (const char* file : {"1", "2"}) save(scratch / "data/" + name + "/" + file, picture);
  }
  const Outcome trained = run(small_run(scratch / "data", scratch / "out"));
  REQUIRE_MESSAGE(trained.status == 0, trained.err);
  CHECK_MESSAGE(
      contains(trained.err, "5 classes (\\xff\\xfe not UTF-8 2, a 3, b 12, quote\"'`$(x) 2, with\\x0anewline 2)"),
      trained.err);
  const Outcome seen = run({"predict", scratch / "out/best.safetensors", scratch / "data/b"});
  CHECK_MESSAGE(seen.status == 0, seen.err);
  CHECK(std::count(seen.out.begin(), seen.out.end(), '\n') == 12);
  CHECK(contains(seen.out, "/with\\x0anewline: "));
  CHECK(contains(seen.out, "/turn\\u202e: "));
  CHECK(run({"eval", scratch / "out/best.safetensors"}).status == 0);
}

TEST_CASE("own pictures: what a folder must be, and what is said of its classes") {
  const Scratch scratch;
  const auto refused = [&](const std::string& folder, const std::string& message) {
    const Outcome o = run(small_run(scratch / folder, scratch / "out"));
    CHECK(o.status == 2);
    CHECK_MESSAGE(contains(o.err, message), o.err);
  };
  fs::create_directories(scratch / "empty");
  refused("empty", "needs a folder for each of two or more classes of pictures, has none");
  save_small(scratch / "one");
  fs::remove_all(scratch / "one/b");
  refused("one", "has one: a\n");
  save_small(scratch / "twice/twice");
  save(scratch / "twice/README", "");
  refused("twice", "has one: twice; if the set is in " + scratch / "twice/twice" + ", which has 2 folders, name that");
  save_small(scratch / "known");
  REQUIRE(run(small_run(scratch / "known", scratch / "known-run")).status == 0);
  const Outcome eval = run({"eval", scratch / "known-run", "--data", scratch / "twice"});
  CHECK(eval.status == 2);
  CHECK_MESSAGE(contains(eval.err, "; if the set is in " + scratch / "twice/twice" + ","), eval.err);
  fs::create_directory(scratch / "one/b");
  refused("one", "needs pictures of two or more classes to train on, has those of one: a");
  const Outcome nowhere = run(small_run(scratch / "nowhere", scratch / "out"));
  CHECK(nowhere.status == 3);
  CHECK_MESSAGE(contains(nowhere.err, "there is no such file or folder"), nowhere.err);

  save_small(scratch / "split/train");
  save_small(scratch / "split/val");
  fs::create_directories(scratch / "split/train/c");
  fs::create_directory_symlink(scratch / "split", scratch / "split/train/a/loop");
  fs::remove_all(scratch / "split/train/a/loop");
  fs::create_directory_symlink(scratch / "split/train/a",
                               scratch / "split/train/a/loop");  // followed once: a is counted once
  const Outcome split = run(small_run(scratch / "split", scratch / "out"));
  REQUIRE_MESSAGE(split.status == 0, split.err);
  CHECK_MESSAGE(contains(split.err, "val has no folder of class c"), split.err);
  CHECK_MESSAGE(contains(split.err, "1 of 3 classes has no training image: c"), split.err);
  CHECK_MESSAGE(contains(split.err, "6 of 6 test images are among the training images too"), split.err);
  CHECK(!contains(split.err, "fewer than a batch"));
  const Outcome few =
      run(small_run(scratch / "split", scratch / "few") +
          Arguments{"--validation", "3", "--model", "flatten dense:classes", "--norm", "none", "--batch-size", "4"});
  CHECK_MESSAGE(
      contains(few.err, "3 images to train on are fewer than a batch of 4: an epoch is one step of all of them"),
      few.err);
  CHECK(nlohmann::json::parse(slurp(scratch / "out/config.json"))["images"]["training"] == 6);
}

TEST_CASE("own pictures: training mirrors them where --augmentation says flip=on") {
  const Scratch scratch;
  save_small(scratch / "data", 6);
  const auto losses = [&](const std::string& how) {
    const Outcome o =
        run(small_run(scratch / "data", scratch / how) + Arguments{"--augment", "--augmentation", how, "--test-views"});
    REQUIRE_MESSAGE(o.status == 0, o.err);
    CHECK(contains(o.out, how == "crop=0:flip=on" ? "on 6 views" : "on 3 views"));
    const std::string log = slurp(scratch / how + "/log.csv");
    return log.substr(0, log.rfind(',', log.rfind(',') - 1));  // without the times
  };
  const std::string kept = losses("crop=0");
  CHECK(losses("crop=0:flip=off") == kept);
  CHECK(losses("crop=0:flip=on") != kept);

  // eval takes the same views as the training, by what the file says.
  const std::string last = scratch / "crop=0:flip=on/last.safetensors";
  const auto loss = [&] { return run({"eval", last, "--test-views"}).out; };
  const std::string six = loss();
  CHECK(contains(six, "test loss "));
  evenkeel::SafeTensors file = evenkeel::read_safetensors(last);
  CHECK(file.metadata.erase("flip") == 1);
  evenkeel::write_safetensors(last, file);
  CHECK(loss() != six);
  const Outcome off = run({"train", "--samples", "20", "--batch-size", "10", "--model", "mlp:4", "--epochs", "1",
                           "--augment", "--augmentation", "flip=off", "--test-views"});
  CHECK_MESSAGE(contains(off.out, "on 3 views"), off.out, off.err);
}

TEST_CASE(
    "own images: IDX files are trained on in another size and colour, which the checkpoint keeps; a set by name is "
    "not") {
  const TinyData tiny(40, 20);
  const Scratch scratch;
  const Arguments as{"--image-size", "14", "--color", "rgb"};
  const Outcome trained = run(small_run(tiny.folder / "mnist", scratch / "out") + as);
  REQUIRE_MESSAGE(trained.status == 0, trained.err);
  CHECK_MESSAGE(contains(trained.out + trained.err, "(14x14x3)"), trained.out);
  const Outcome same = run({"eval", scratch / "out"});
  CHECK_MESSAGE(same.status == 0, same.err);
  CHECK(accuracy_in(same.out) == accuracy_in(last_line(trained.out)));
  for (const Arguments& one : {Arguments{as[0], as[1]}, Arguments{as[2], as[3]}}) {
    const Outcome refused =
        run(Arguments{"train", "--data", "mnist", "--data-dir", tiny.folder.path, "--out", scratch / "no"} + one);
    CHECK(refused.status == 2);
    CHECK_MESSAGE(
        contains(refused.err, "--image-size and --color are for your own images, given by a path; mnist has a fixed"),
        refused.err);
  }
}
