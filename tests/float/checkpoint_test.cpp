#include "layers/checkpoint.h"

#include <doctest/doctest.h>

#include <cstring>

#include "core/file.h"
#include "layers/spec.h"
#include "tests/scratch.h"

using namespace evenkeel;

namespace {

std::string good_file() {
  SafeTensors contents;
  contents.metadata["model"] = "a \"quoted\" text\n";
  contents.tensors.push_back(store("weight", Tensor::of({2, 3}, {1, 2, 3, 4, 5, 6})));
  contents.tensors.push_back(store("scalar", Tensor::scalar(7)));
  return format_safetensors(contents);
}

// A file with this header and so many bytes of data.
std::string file_of(const std::string& header, size_t data) {
  std::string file(8, '\0');
  const uint64_t size = header.size();
  std::memcpy(file.data(), &size, 8);
  return file + header + std::string(data, 'x');
}

void refused(const std::string& bytes, const char* reason) {
  CAPTURE(reason);
  try {
    parse_safetensors(bytes, "some file");
    FAIL_CHECK("it was accepted");
  } catch (const Error& e) {
    CHECK(e.fault == Fault::bad_file);
    CHECK(std::string(e.what()).find(reason) != std::string::npos);
    CHECK(std::string(e.what()).find("some file") != std::string::npos);
  }
}

}  // namespace

TEST_CASE("safetensors: what was written is read") {
  const SafeTensors read = parse_safetensors(good_file(), "good");
  CHECK(read.metadata.at("model") == "a \"quoted\" text\n");
  REQUIRE(read.tensors.size() == 2);
  CHECK(load(read.tensors[0]).values() == std::vector<real>{1, 2, 3, 4, 5, 6});
  CHECK(load(*read.find("scalar")).item() == 7);
  CHECK(read.find("other") == nullptr);
  CHECK(format_safetensors(read) == good_file());
}

TEST_CASE("safetensors: every truncation and every flipped bit is refused") {
  const std::string good = good_file();
  for (size_t n = 0; n < good.size(); ++n) CHECK_THROWS_AS(parse_safetensors(good.substr(0, n), "short"), Error);
  CHECK_THROWS_AS(parse_safetensors(good + "x", "long"), Error);
  for (size_t i = 0; i < good.size(); ++i)
    for (int bit = 0; bit < 8; ++bit) {
      std::string bad = good;
      bad[i] = static_cast<char>(bad[i] ^ (1 << bit));
      CAPTURE(i);
      CHECK_THROWS_AS(parse_safetensors(bad, "flipped"), Error);
    }
}

TEST_CASE("safetensors: headers that lie are refused with the reason") {
  refused(std::string(8, '\xff'), "its header would have");
  refused(file_of("[]", 0), "does not begin");
  refused(file_of("{", 0), "not a JSON object");
  refused(file_of(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 4), "a name twice");
  refused(file_of(R"({"a":{"dtype":"F99","shape":[1],"data_offsets":[0,4]}})", 4), "unknown dtype");
  refused(file_of(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", 4), "its shape needs 8");
  refused(file_of(R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})", 4), "bad shape");
  refused(file_of(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,8]}})", 4), "outside the file");
  refused(file_of(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})", 8), "overlap or leave a hole");
  refused(file_of(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 4), "overlap");
  refused(file_of(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 5), "belong to no tensor");
  refused(file_of(R"({"a":{"dtype":"F32","shape":[281474976710656,281474976710656],"data_offsets":[0,4]}})", 4), "too large");
  refused(file_of(R"({"__metadata__":{"a":1}})", 0), "not a string");
  refused(file_of("{\"a\":" + std::string(100, '[') + std::string(100, ']') + "}", 0), "right form");
}

TEST_CASE("a network's state goes to a file and back; convolutions are stored filters, channels, rows, columns") {
  Scratch folder;
  const ModelOptions options{.model = "conv:4:3 norm act dropout flatten dense:classes", .input = {6, 6, 2}, .classes = 3, .seed = 1};
  auto network = make_model(options);
  Random random(2);
  const Tensor x = Tensor::normal({5, 6, 6, 2}, random);
  network->forward(x, Mode::train);
  write_safetensors(folder / "a.safetensors", capture(*network));
  const SafeTensors stored = read_safetensors(folder / "a.safetensors");
  CHECK(stored.find("0.weight")->shape == std::vector<int64_t>{4, 2, 3, 3});
  const Tensor w = parameters(*network)[0].value;  // (4, 3, 3, 2)
  CHECK(load(*stored.find("0.weight")).data()[1 * 9 + 2] == w.data()[2 * 2 + 1]);

  ModelOptions other = options;
  other.seed = 9;
  auto second = make_model(other);
  CHECK(second->forward(x, Mode::eval).values() != network->forward(x, Mode::eval).values());
  restore(*second, stored);
  CHECK(second->forward(x, Mode::eval).values() == network->forward(x, Mode::eval).values());
  CHECK(second->forward(x, Mode::train).values() == network->forward(x, Mode::train).values());  // the dropout stream too
}

TEST_CASE("a file that does not fit changes nothing, and the message lists what is wrong") {
  auto network = make_model({.model = "flatten dense:4 norm act dense:classes", .input = {2, 2, 1}, .classes = 3});
  auto other = make_model({.model = "flatten dense:5 norm act dense:classes", .input = {2, 2, 1}, .classes = 3, .seed = 2});
  const std::string before = format_safetensors(capture(*network));
  CHECK_THROWS_WITH_AS(restore(*network, capture(*other)), doctest::Contains("1.weight has shape (5, 4)"), Error);
  SafeTensors part = capture(*network);
  part.tensors.pop_back();
  CHECK_THROWS_WITH_AS(restore(*network, part), doctest::Contains("4.bias is missing"), Error);
  CHECK(format_safetensors(capture(*network)) == before);
}
