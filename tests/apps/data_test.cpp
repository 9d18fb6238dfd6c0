// Which images a command works on: from the folder it was told, of every class.
#include <doctest/doctest.h>

#include <cstring>
#include <map>
#include <nlohmann/json.hpp>

#include "tests/apps/process.h"
#include "tests/data_files.h"

namespace {

namespace fs = std::filesystem;

// A set in the files of MNIST, sorted by class: `each` images of every class, all pixels of one the same.
void save_sorted(const std::string& root, uint32_t each) {
  fs::create_directories(root + "/mnist");
  std::vector<uint8_t> labels, pixels;
  for (uint32_t i = 0; i < 10 * each; ++i) {
    labels.push_back(static_cast<uint8_t>(i / each));
    pixels.insert(pixels.end(), 784, static_cast<uint8_t>(labels.back() * 25 + i % 3));
  }
  for (const char* part : {"train", "t10k"}) {
    save(root + "/mnist/" + part + "-images-idx3-ubyte", idx({10 * each, 28, 28}, pixels));
    save(root + "/mnist/" + part + "-labels-idx1-ubyte", idx({10 * each}, labels));
  }
}

// How many labels of each class are in the file that eval --logits writes: the array comes last before the zip's
// directory.
std::map<int64_t, int> label_counts(const std::string& npz, size_t images) {
  const std::string bytes = slurp(npz);
  const size_t header = bytes.find("\x93NUMPY", bytes.find("labels.npy")), data = bytes.find('\n', header) + 1;
  std::map<int64_t, int> counts;
  for (size_t i = 0; i < images; ++i) {
    int64_t label;
    std::memcpy(&label, bytes.data() + data + i * sizeof label, sizeof label);
    ++counts[label];
  }
  return counts;
}

}  // namespace

TEST_CASE("data: a given folder is the only one looked in; the one used is printed and kept") {
  const Scratch scratch;
  save_sorted(scratch / "right", 5);
  const Arguments train{"train", "--data", "mnist", "--model", "mlp:8", "--epochs", "1", "--batch-size", "10"};
  const Arguments elsewhere{"EVENKEEL_DATA=" + scratch / "right"};
  const Outcome wrong = run(train + Arguments{"--data-dir", scratch / "wrong", "--out", scratch / "run"}, elsewhere);
  CHECK(wrong.status == 3);
  CHECK_MESSAGE(wrong.err.find(scratch / "wrong/mnist lacks") != std::string::npos, wrong.err);
  CHECK(wrong.err.find(scratch / "right") == std::string::npos);
  CHECK(!fs::exists(scratch / "run"));

  for (const Outcome& o : {run(train + Arguments{"--out", scratch / "run"}, elsewhere),
                           run({"eval", scratch / "run/best.safetensors", "--data-dir", scratch / "right"})}) {
    CHECK_MESSAGE(o.status == 0, o.err);
    CHECK_MESSAGE(o.err.find("mnist is read from " + scratch / "right/mnist\n") != std::string::npos, o.err);
  }
  CHECK(nlohmann::json::parse(slurp(scratch / "run/config.json"))["images"]["folder"] == scratch / "right/mnist");
  CHECK(run({"eval", scratch / "run/best.safetensors", "--data-dir", scratch / "wrong"}, elsewhere).status == 3);
}

TEST_CASE("data: --samples of a set that is sorted by class takes as many of every class") {
  const Scratch scratch;
  save_sorted(scratch / "data", 30);
  const Arguments here{"--data", "mnist", "--data-dir", scratch / "data"};
  const Outcome trained = run(Arguments{"train", "--samples", "50", "--model", "mlp:32", "--epochs", "30",
                                        "--batch-size", "10", "--out", scratch / "run"} +
                              here);
  REQUIRE_MESSAGE(trained.status == 0, trained.err);
  const std::string said = last_line(trained.out);
  CHECK_MESSAGE(std::stod(said.substr(said.find("accuracy ") + 9)) > 0.5, said);  // of one class it would be 0.1
  for (const char* split : {"train", "test"}) {
    const Outcome o = run(Arguments{"eval", scratch / "run/last.safetensors", "--split", split, "--samples", "20",
                                    "--logits", scratch / "l.npz"} +
                          here);
    REQUIRE_MESSAGE(o.status == 0, o.err);
    const auto counts = label_counts(scratch / "l.npz", 20);
    CHECK(counts.size() == 10);
    for (const auto& [label, count] : counts) CHECK(count == 2);
  }
  for (const char* command : {"doctor", "recalibrate"}) {
    const Outcome o =
        run(Arguments{command, scratch / "run/last.safetensors", "--samples", "20"} + here +
            (command == std::string("doctor") ? Arguments{} : Arguments{"--out", scratch / "new.safetensors"}));
    CHECK_MESSAGE(o.status == 0, o.err);
  }
}
