// Decoded pictures that are kept between two starts of the program, and one set in two kinds of files.
#include <doctest/doctest.h>

#include <thread>

#include "data/catalogue/load.h"
#include "data/formats/image.h"
#include "layers/model/safetensors.h"
#include "tests/apps/process.h"
#include "tests/data_files.h"
#include "tests/pictures.h"

namespace {

namespace fs = std::filesystem;

// Two classes of small pictures, old enough to be kept.
void save_pictures(const std::string& folder, int each, int side = 4) {
  for (const std::string kind : {"a", "b"}) {
    fs::create_directories(folder + "/" + kind);
    for (int i = 0; i < each; ++i) {
      RawPicture p = ramp(side, side, 1);
      for (uint8_t& v : p.pixels) v = static_cast<uint8_t>(v + 9 * i + kind[0]);
      save(folder + "/" + kind + "/" + std::to_string(i) + ".png", png(p));
    }
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(150));
}

Arguments cached_run(const std::string& data, const std::string& out) {
  return {"train", "--data", data, "--model", "mlp:4", "--epochs", "1", "--batch-size", "8", "--out", out};
}

std::vector<std::string> kept_below(const std::string& cache) {
  std::vector<std::string> files;
  if (fs::exists(cache + "/evenkeel/pictures"))
    for (const auto& entry : fs::directory_iterator(cache + "/evenkeel/pictures"))
      files.push_back(entry.path().filename().string());
  return files;
}

}  // namespace

TEST_CASE("kept pictures: a run starts from them to the same bytes; data clear-cache removes them") {
  const Scratch scratch;
  save_pictures(scratch / "data", 12);
  const Arguments cache{"XDG_CACHE_HOME=" + scratch / "cache"}, nowhere{"XDG_CACHE_HOME=", "HOME="};
  const Outcome without = run(cached_run(scratch / "data", scratch / "without"), nowhere);
  REQUIRE_MESSAGE(without.status == 0, without.err);
  CHECK(!contains(without.err, "not kept"));
  for (const char* name : {"cold", "warm"}) {
    const Outcome o = run(cached_run(scratch / "data", scratch / name), cache);
    REQUIRE_MESSAGE(o.status == 0, o.err);
    CHECK(o.err.substr(0, o.err.find("; into")) == without.err.substr(0, without.err.find("; into")));
    CHECK(slurp(scratch / name + "/last.safetensors") == slurp(scratch / "without/last.safetensors"));
    CHECK(kept_below(scratch / "cache").size() == 1);
  }
  const Outcome cleared = run({"data", "clear-cache"}, cache);
  CHECK(cleared.status == 0);
  CHECK_MESSAGE(contains(cleared.out, "removed 1 file of decoded pictures, "), cleared.out);
  CHECK(kept_below(scratch / "cache").empty());
  CHECK(contains(run({"data", "clear-cache"}, nowhere).out, "removed 0 files "));
}

TEST_CASE("kept pictures: where the cache cannot be written, or not all of it, everything else goes on") {
  const Scratch scratch;
  save_pictures(scratch / "data", 30);
  REQUIRE(run(cached_run(scratch / "data", scratch / "run"), {"XDG_CACHE_HOME=" + scratch / "first"}).status == 0);
  save(scratch / "file", "");
  const Arguments eval{"eval", scratch / "run/last.safetensors"};
  const Outcome expected = run(eval);
  for (const bool full : {false, true}) {
    const auto no_room = [] {
      const rlimit limit{.rlim_cur = 4000, .rlim_max = 4000};  // bytes of a file
      setrlimit(RLIMIT_FSIZE, &limit);
    };
    Process process(eval, {"XDG_CACHE_HOME=" + scratch / (full ? "full" : "file")}, false,
                    full ? std::function<void()>(no_room) : nullptr);
    const Outcome o = process.wait();
    CHECK_MESSAGE(o.status == 0, o.err);
    CHECK(o.out == expected.out);
    CHECK_MESSAGE(contains(o.err, "its decoded pictures are not kept for the next time: "), o.err);
    CHECK(kept_below(scratch / "full").empty());
  }
}

TEST_CASE("kept pictures: several processes at once, and one that is stopped at any moment, leave whole files alone") {
  const Scratch scratch;
  save_pictures(scratch / "data", 20, 400);
  const Arguments cache{"XDG_CACHE_HOME=" + scratch / "cache"},
      show{"data", "show", scratch / "data", "--image-size", "8"};
  const std::string expected = run(show).out;
  {
    std::vector<std::unique_ptr<Process>> all;
    for (int i = 0; i < 4; ++i) all.push_back(std::make_unique<Process>(show, cache));
    for (const auto& process : all) CHECK(process->wait().out == expected);
  }
  CHECK(kept_below(scratch / "cache").size() == 1);
  for (int i = 0; i < 12; ++i) {
    CAPTURE(i);
    fs::remove_all(scratch / "cache");
    const int signal = i % 3 ? SIGINT : SIGKILL;
    Process process(show, cache);
    std::this_thread::sleep_for(std::chrono::milliseconds(4 * i));
    process.send(signal);
    const int status = process.wait().status;
    CHECK((status == 128 + signal || status == -signal || status == 0));
    const std::vector<std::string> kept = kept_below(scratch / "cache");
    if (signal == SIGINT)
      for (const std::string& file : kept) CHECK_MESSAGE(file.ends_with(".pictures"), file);
    CHECK(run(show, cache).out == expected);
    CHECK(kept_below(scratch / "cache").size() == 1);
  }
}

TEST_CASE("the same images as PNG files in folders and as IDX files train to the same weights") {
  const Scratch scratch;
  evenkeel::DataSplit drawn = evenkeel::load_dataset("synthetic");
  std::vector<int64_t> some(300);
  for (size_t i = 0; i < some.size(); ++i) some[i] = static_cast<int64_t>(i);
  for (const auto& [set, folder, idx_name] :
       {std::tuple(take(drawn.train, some), "train", "train"), std::tuple(take(drawn.test, some), "test", "t10k")}) {
    std::vector<uint8_t> pixels, labels;  // in the folders' order
    const auto size = static_cast<size_t>(set.image.size());
    for (int32_t label = 0; label < 10; ++label) {
      const std::string in = scratch / "png/" + folder + "/" + std::to_string(label);
      fs::create_directories(in);
      for (size_t i = 0; i < set.labels.size(); ++i) {
        if (set.labels[i] != label) continue;
        const auto from = set.pixels.begin() + static_cast<std::ptrdiff_t>(i * size);
        const std::vector<uint8_t> image(from, from + static_cast<std::ptrdiff_t>(size));
        save(fmt::format("{}/{:05}.png", in, i), png({28, 28, 1, image}));
        pixels.insert(pixels.end(), image.begin(), image.end());
        labels.push_back(static_cast<uint8_t>(label));
      }
    }
    fs::create_directories(scratch / "idx");
    const auto count = static_cast<uint32_t>(labels.size());
    save(scratch / "idx/" + idx_name + "-images-idx3-ubyte", idx({count, 28, 28}, pixels));
    save(scratch / "idx/" + idx_name + "-labels-idx1-ubyte", idx({count}, labels));
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(150));
  const Arguments cache{"XDG_CACHE_HOME=" + scratch / "cache"};
  std::vector<evenkeel::SafeTensors> weights;
  for (const char* data : {"idx", "png", "png"}) {
    const std::string out = scratch / "run-" + std::to_string(weights.size());
    const Outcome o =
        run({"train", "--data", scratch / data, "--model", "conv:4:3 norm act maxpool flatten dense:classes",
             "--epochs", "2", "--batch-size", "32", "--out", out},
            cache);
    REQUIRE_MESSAGE(o.status == 0, o.err);
    weights.push_back(evenkeel::read_safetensors(out + "/last.safetensors"));
  }
  CHECK(kept_below(scratch / "cache").size() == 1);
  for (const evenkeel::SafeTensors& w : {weights[1], weights[2]}) {
    REQUIRE(w.tensors.size() == weights[0].tensors.size());
    for (size_t i = 0; i < w.tensors.size(); ++i) {
      CAPTURE(w.tensors[i].name);
      CHECK(w.tensors[i].name == weights[0].tensors[i].name);
      CHECK(w.tensors[i].bytes == weights[0].tensors[i].bytes);
    }
    CHECK(w.metadata.at("mean") == weights[0].metadata.at("mean"));
  }
}
