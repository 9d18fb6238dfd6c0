#include "layers/model/checkpoint.h"

#include <doctest/doctest.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <tuple>

#include "core/io/file.h"
#include "layers/dense.h"
#include "layers/model/spec.h"
#include "layers/norm/batch_norm.h"
#include "tests/data_files.h"
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

TEST_CASE("safetensors: the data begin at a multiple of 8 bytes, whatever the length of the header") {
  SafeTensors file;
  for (int i = 0; i < 8; ++i) {
    file.metadata["note"] += 'x';
    CHECK(static_cast<unsigned char>(format_safetensors(file)[0]) % 8 == 0);  // the low byte of the header's length
  }
}

TEST_CASE("values that no training can have made are refused by the tensor's name, and change nothing") {
  const auto network = [](const char* norm) {
    return make_model({.model = "flatten dense:4 norm dense:3", .norm = norm, .input = {2, 2, 1}, .classes = 3},
                      standard_vocabulary());
  };
  const struct {
    const char *norm, *name, *reason;
    real value;
  } cases[] = {{"batch", "1.weight", "finite", real(NAN)},
               {"batch", "2.weight", "finite", real(INFINITY)},
               {"batch", "2.running_mean", "finite", real(NAN)},
               {"batch", "2.running_var", "finite", real(INFINITY)},
               {"batch", "2.running_var", "negative", real(-0.5)},
               {"batch", "2.num_batches_tracked", "negative", real(-1)},
               {"batch", "evenkeel.2.running_weight", "from 0 to 1", real(1.5)},
               {"renorm", "2.running_sigma", "positive", real(0)}};
  for (const auto& c : cases) {
    CAPTURE(c.name);
    const auto source = network(c.norm), target = network(c.norm);
    SafeTensors stored = capture(*source);
    bool found = false;
    for (StoredTensor& t : stored.tensors) {
      if (t.name != c.name) continue;
      found = true;
      if (t.dtype == "I64") {
        const auto whole = static_cast<int64_t>(c.value);
        std::memcpy(t.bytes.data(), &whole, sizeof whole);
      } else {
        std::memcpy(t.bytes.data(), &c.value, sizeof c.value);
      }
    }
    REQUIRE(found);
    const std::string before = format_safetensors(capture(*target));
    for (const Part part : {Part::everything, Part::weights}) {
      const std::string said = refusal([&] { restore(*target, stored, part); });
      CHECK_MESSAGE(said.find(c.name + std::string(" holds ")) != std::string::npos, said);
      CHECK_MESSAGE(said.find(c.reason) != std::string::npos, said);
    }
    CHECK(format_safetensors(capture(*target)) == before);
  }
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
  refused(file_of("{", 0), "not JSON");
  refused(file_of(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
                  R"("a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})",
                  4),
          "the name \"a\" twice");
  refused(file_of(R"({"a":{"dtype":"F99","shape":[1],"data_offsets":[0,4]}})", 4), "unknown dtype");
  refused(file_of(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", 4), "its shape needs 8");
  refused(file_of(R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})", 4), "bad shape");
  refused(file_of(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,8]}})", 4), "outside the file");
  refused(file_of(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})", 8), "overlap or leave a hole");
  refused(file_of(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
                  R"("b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})",
                  4),
          "overlap");
  refused(file_of(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 5), "belong to no tensor");
  refused(file_of(R"({"a":{"dtype":"F32","shape":[281474976710656,281474976710656],"data_offsets":[0,4]}})", 4),
          "too large");
  refused(file_of(R"({"__metadata__":{"a":1}})", 0), "not a string");
  refused(file_of("{\"a\":" + std::string(100, '[') + std::string(100, ']') + "}", 0), "8 deep");
}

TEST_CASE("safetensors: a file of another format is named for what it is, a part of one for what it lacks") {
  refused("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\n",
          "some file: it is a Git LFS pointer, not a safetensors file; git lfs pull fetches the file it stands for");
  refused("<!DOCTYPE html><title>403", "it is an HTML page, not a safetensors file; a download failed");
  refused("PK\3\4" + std::string(26, '\1') + "archive/data.pkl", "it is a PyTorch file (.pt, .pth), not a safetensors");
  refused("", "it is empty");
  refused(good_file().substr(0, 20), "it ends inside its header: it is a part of a file");
  refused(good_file().substr(0, good_file().size() - 4), "lies outside the file: it is a part of one");
  // A header of 640 bytes begins like a pickle's file.
  const std::string header = R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})";
  CHECK(parse_safetensors(file_of(header + std::string(640 - header.size(), ' '), 4), "good").tensors.size() == 1);
}

TEST_CASE("safetensors: what could not be read again is not written, whoever asks") {
  const StoredTensor good{"a", "F32", {2}, std::string(8, 'x')};
  const auto kept = [](const SafeTensors& contents, const char* reason) {
    CHECK_THROWS_WITH_AS(format_safetensors(contents), doctest::Contains(reason), Error);
  };
  CHECK(parse_safetensors(format_safetensors({{}, {good}}), "good").tensors.size() == 1);
  kept({{}, {good, good}}, "two tensors are called 'a'");
  kept({{}, {{"__metadata__", "F32", {}, "1234"}}}, "__metadata__");
  kept({{}, {{"a", "F32", {3}, "1234"}}}, "'a' has 4 bytes, its shape needs 12");
  kept({{}, {{"a", "F99", {1}, "1234"}}}, "'a' has an unknown dtype");
  kept({{}, {{"a", "F32", {-1}, "1234"}}}, "'a' has a bad shape");
  kept({{}, {{"a\xff", "F32", {1}, "1234"}}}, "not UTF-8");
  kept({{{"model", "\xff"}}, {good}}, "not UTF-8");
  kept({{{"model", std::string(17 << 20, 'x')}}, {good}}, "its header would have");
}

TEST_CASE("a network's state goes to a file and back; convolutions are stored filters, channels, rows, columns") {
  Scratch folder;
  const ModelOptions options{
      .model = "conv:4:3 norm act dropout flatten dense:classes", .input = {6, 6, 2}, .classes = 3, .seed = 1};
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
  CHECK(second->forward(x, Mode::train).values() ==
        network->forward(x, Mode::train).values());  // the dropout stream too
}

TEST_CASE("a file that does not fit changes nothing, and the message lists what is wrong") {
  auto network = make_model({.model = "flatten dense:4 norm act dense:classes", .input = {2, 2, 1}, .classes = 3});
  auto other =
      make_model({.model = "flatten dense:5 norm act dense:classes", .input = {2, 2, 1}, .classes = 3, .seed = 2});
  const std::string before = format_safetensors(capture(*network));
  CHECK_THROWS_WITH_AS(restore(*network, capture(*other)), doctest::Contains("1.weight has shape (5, 4)"), Error);
  SafeTensors part = capture(*network);
  part.tensors.pop_back();
  CHECK_THROWS_WITH_AS(restore(*network, part), doctest::Contains("4.bias is missing"), Error);
  part = capture(*network);
  part.tensors.push_back(store("5.bias", Tensor::scalar(1)));
  CHECK_THROWS_WITH_AS(restore(*network, part), doctest::Contains("5.bias is nothing that the network has"), Error);
  part.tensors.back().name = "evenkeel.5.bias";
  restore(*network, part);
  CHECK(format_safetensors(capture(*network)) == before);
}

TEST_CASE("numbers of every type are read; more axes, truth values and a stream that is none are refused") {
  const auto bytes_of = [](auto v) { return std::string(reinterpret_cast<const char*>(&v), sizeof v); };
  CHECK(load({"a", "F64", {1, 2}, bytes_of(0.5) + bytes_of(-3.0)}).values() == std::vector<real>{0.5, -3});
  CHECK(load({"a", "I64", {}, bytes_of(int64_t{7})}).item() == 7);
  CHECK(load({"a", "I8", {2}, "\x07\xf9"}).values() == std::vector<real>{7, -7});
  CHECK(load({"a", "U8", {2}, "\x07\xf9"}).values() == std::vector<real>{7, 249});
  CHECK(load({"a", "I16", {}, "\xf9\xff"}).item() == -7);
  CHECK(load({"a", "U16", {}, "\xf9\xff"}).item() == 65529);
  CHECK(load({"a", "I32", {}, bytes_of(int32_t{-1000000})}).item() == -1000000);
  CHECK(load({"a", "U32", {}, bytes_of(uint32_t{1} << 31)}).item() == 2147483648);
  CHECK(load({"a", "U64", {}, bytes_of(uint64_t{1} << 40)}).item() == 1099511627776);
  CHECK_THROWS_WITH_AS(load({"a", "BOOL", {1}, "x"}), doctest::Contains("a is BOOL of 1 axes"), Error);
  CHECK_THROWS_WITH_AS(load({"a", "F32", std::vector<int64_t>(9, 1), "xxxx"}), doctest::Contains("of 9 axes"), Error);

  auto network =
      make_model({.model = "flatten dense:4 act dropout:0.5 dense:classes", .input = {2, 2, 1}, .classes = 3});
  SafeTensors all = capture(*network);
  int streams = 0;
  for (StoredTensor& t : all.tensors)
    if (t.dtype == "I64") ++streams, t.bytes.resize(8), t.shape = {1};
  REQUIRE(streams == 1);
  CHECK_THROWS_WITH_AS(restore(*network, all), doctest::Contains("must be two I64"), Error);
}

TEST_CASE("half precision and bfloat16 become the same numbers") {
  const auto value = [](const char* dtype, uint16_t bits) {
    const char bytes[] = {static_cast<char>(bits & 0xff), static_cast<char>(bits >> 8)};
    return load({"a", dtype, {}, std::string(bytes, 2)}).item();
  };
  // F16: from one number to the next it is 2^-24 times a power of two that each exponent above 1 doubles.
  CHECK(value("F16", 0) == 0);
  for (uint16_t bits = 0; bits < 0x7bff; ++bits) {
    const real step = std::ldexp(real(1), std::max(bits >> 10, 1) - 25);
    REQUIRE(value("F16", static_cast<uint16_t>(bits + 1)) - value("F16", bits) == step);
    REQUIRE(value("F16", bits | 0x8000) == -value("F16", bits));
  }
  CHECK(value("F16", 0x7bff) == 65504);
  CHECK(value("F16", 0x3555) == real(0.333251953125));
  CHECK(std::signbit(value("F16", 0x8000)));
  // BF16: the upper half of a float.
  CHECK(value("BF16", 0x3f80) == 1);
  CHECK(value("BF16", 0xc049) == real(-3.140625));
  CHECK(value("BF16", 0x0001) == std::ldexp(real(1), -133));
  CHECK(value("BF16", 0x7f7f) == std::ldexp(real(255), 120));
  const std::pair<const char*, uint16_t> not_finite[] = {
      {"F16", 0x7c00}, {"F16", 0xfe00}, {"BF16", 0xff80}, {"BF16", 0x7fc1}};
  for (const auto& [dtype, bits] : not_finite)
    CHECK_THROWS_WITH_AS(value(dtype, bits), doctest::Contains("must be finite"), Error);
}

namespace {

StoredTensor* find(SafeTensors& stored, const std::string& name) {
  for (StoredTensor& t : stored.tensors)
    if (t.name == name) return &t;
  return nullptr;
}

// A network whose averages have moved, and three images.
struct Trained {
  explicit Trained(const ModelOptions& o) : options(o), network(make_model(o)) {
    Random random(2);
    for (int t = 0; t < 3; ++t) network->forward(Tensor::normal({5, 4, 4, 2}, random), Mode::train);
    x = Tensor::normal({3, 4, 4, 2}, random);
  }
  ModelOptions options;
  std::unique_ptr<Sequential> network;
  Tensor x;
};

}  // namespace

TEST_CASE("a count of batches has no part in inference: any type of integer, one number in any shape, or none") {
  const Trained trained({.model = "conv:4:3 norm act flatten dense:classes", .input = {4, 4, 2}, .classes = 3});
  const SafeTensors weights = capture(*trained.network, Part::weights);
  const auto read = [&](const std::function<void(StoredTensor&)>& change) {
    SafeTensors stored = weights;
    change(*find(stored, "1.num_batches_tracked"));
    auto network = make_model(trained.options);
    network->forward(trained.x, Mode::train);
    restore(*network, stored, Part::weights);
    CHECK(network->forward(trained.x, Mode::eval).values() == trained.network->forward(trained.x, Mode::eval).values());
    return load(*capture(*network).find("1.num_batches_tracked")).item();
  };
  CHECK(read([](StoredTensor& t) { t.dtype = "I32", t.bytes.resize(4); }) == 3);
  CHECK(read([](StoredTensor& t) { t.dtype = "U8", t.bytes.resize(1), t.shape = {1}; }) == 3);
  CHECK(read([](StoredTensor& t) { t.shape = {1, 1}; }) == 3);
  CHECK(read([](StoredTensor& t) { t = {own_prefix + "unused", "U8", {}, "x"}; }) == 0);
  CHECK_THROWS_WITH_AS(read([](StoredTensor& t) { t.bytes += t.bytes, t.shape = {2}; }),
                       doctest::Contains("num_batches_tracked has shape (2)"), Error);
  // In a file to go on from it must be there.
  SafeTensors all = capture(*trained.network);
  find(all, "1.num_batches_tracked")->name = own_prefix + "unused";
  CHECK_THROWS_WITH_AS(restore(*trained.network, all), doctest::Contains("num_batches_tracked is missing"), Error);
}

TEST_CASE("weights that are integers are refused: what they stand for a scale would have to say") {
  const Trained trained({.model = "flatten dense:classes", .input = {4, 4, 2}, .classes = 3});
  SafeTensors stored = capture(*trained.network, Part::weights);
  *find(stored, "1.bias") = {"1.bias", "I8", {3}, "\1\2\3"};
  CHECK_THROWS_WITH_AS(restore(*trained.network, stored, Part::weights),
                       doctest::Contains("1.bias is I8; it must be one of F16"), Error);
}

TEST_CASE("a bias in front of a normalisation, which has no effect on ours, is taken off the running mean") {
  for (const char* norm : {"batch", "renorm", "instance"}) {
    CAPTURE(norm);
    const Trained trained({.model = "conv:4:3 norm act residual(conv:4:3 norm) flatten dense:5 batch dense:classes",
                           .norm = norm,
                           .input = {4, 4, 2},
                           .classes = 3});
    SafeTensors stored = capture(*trained.network, Part::weights);
    // The same network with biases: those of its convolutions and of its dense layer move the means with them.
    int biases = 0;
    for (const auto& [layer, behind, channels] :
         {std::tuple<const char*, const char*, int64_t>{"0", "1", 4}, {"3.body.0", "3.body.1", 4}, {"5", "6", 5}}) {
      Tensor bias = Tensor::empty({channels});
      for (int64_t c = 0; c < channels; ++c) bias.mutable_data()[c] = real(0.25) * static_cast<real>(c + 1);
      stored.tensors.push_back(store(std::string(layer) + ".bias", bias));
      StoredTensor* mean = find(stored, std::string(behind) + ".running_mean");
      if (mean) ++biases, *mean = store(mean->name, load(*mean) + bias);
    }
    CHECK(biases == (norm == std::string("instance") ? 1 : 3));
    auto network = make_model(trained.options);
    restore(*network, stored, Part::weights);
    const Tensor y = network->forward(trained.x, Mode::eval);
    const Tensor expected = trained.network->forward(trained.x, Mode::eval);
    for (int64_t i = 0; i < y.size(); ++i) CHECK(y.data()[i] == doctest::Approx(expected.data()[i]).epsilon(1e-5));

    SafeTensors bad = stored;
    bad.tensors.back() = store("5.bias", Tensor::zeros({4}));
    CHECK_THROWS_WITH_AS(restore(*network, bad, Part::weights),
                         doctest::Contains("5.bias has shape (4), the network needs (5)"), Error);
    bad.tensors.back() = store("5.bias", Tensor::full({5}, real(INFINITY)));
    CHECK_THROWS_WITH_AS(restore(*network, bad, Part::weights), doctest::Contains("5.bias holds"), Error);
    bad.tensors.back() = store("6.bias2", Tensor::zeros({5}));
    CHECK_THROWS_WITH_AS(restore(*network, bad, Part::weights),
                         doctest::Contains("6.bias2 is nothing that the network has"), Error);
  }
  // A layer that lacks a bias for another reason has no place for one.
  Random random(1);
  Sequential bare(Dense(4, 3, random, false));
  SafeTensors stored = capture(bare, Part::weights);
  stored.tensors.push_back(store("0.bias", Tensor::zeros({3})));
  CHECK_THROWS_WITH_AS(restore(bare, stored, Part::weights),
                       doctest::Contains("0.bias is nothing that the network has"), Error);
}

TEST_CASE("a prefix that all names share, as wrappers of modules put there, is taken off") {
  const Trained trained({.model = "conv:4:3 norm act flatten dense:classes", .input = {4, 4, 2}, .classes = 3});
  const SafeTensors weights = capture(*trained.network, Part::weights);
  const auto with = [&](const std::string& prefix) {
    SafeTensors stored = weights;
    for (StoredTensor& t : stored.tensors) t.name = prefix + t.name;
    return stored;
  };
  const Tensor expected = trained.network->forward(trained.x, Mode::eval);
  for (const char* prefix : {"module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module.", "0.", "model.net."}) {
    CAPTURE(prefix);
    auto network = make_model(trained.options);
    SafeTensors stored = with(prefix);
    // A bias in front of the normalisation has the prefix, too.
    stored.tensors.push_back(store(std::string(prefix) + "0.bias", Tensor::zeros({4})));
    restore(*network, stored, Part::weights);
    CHECK(network->forward(trained.x, Mode::eval).values() == expected.values());

    stored.tensors.back().name = prefix + std::string("other");
    CHECK_THROWS_WITH_AS(restore(*network, stored, Part::weights),
                         doctest::Contains((prefix + std::string("other is nothing")).c_str()), Error);
  }
  SafeTensors mixed = with("module.");
  mixed.tensors.back().name = "4.bias";
  CHECK_THROWS_WITH_AS(restore(*trained.network, mixed, Part::weights), doctest::Contains("0.weight is missing"),
                       Error);
  CHECK_THROWS_WITH_AS(restore(*trained.network, with("module"), Part::weights),
                       doctest::Contains("0.weight is missing"), Error);
}

TEST_CASE("the names, types and shapes in a file are PyTorch's; what it does not know has a prefix") {
  auto network =
      make_model({.model = "conv:4:3 norm act dropout flatten dense:classes", .input = {4, 4, 2}, .classes = 3});
  Random random(2);
  for (int t = 0; t < 3; ++t) network->forward(Tensor::normal({5, 4, 4, 2}, random), Mode::train);
  std::string all;
  for (const StoredTensor& t : capture(*network).tensors)
    all += fmt::format("{} {} {}\n", t.name, t.dtype, fmt::join(t.shape, ","));
  const std::string expected =
      "0.weight F32 4,2,3,3\n1.weight F32 4\n1.bias F32 4\n1.running_mean F32 4\n1.running_var F32 "
      "4\nevenkeel.1.running_weight F32 \n"
      "1.num_batches_tracked I64 \nevenkeel.1.running_rows F32 \nevenkeel.3.random I64 2\n5.weight F32 3,64\n5.bias "
      "F32 3\n";
  CHECK(all == expected);
  CHECK(load(*capture(*network).find("1.num_batches_tracked")).item() == 3);

  const SafeTensors weights = capture(*network, Part::weights);
  CHECK(weights.tensors.size() == 8);
  for (const StoredTensor& t : weights.tensors) CHECK(!t.name.starts_with(own_prefix));
}

TEST_CASE("running averages without their weight go on as PyTorch's: (1 - a) old + a new") {
  BatchNorm norm(1, {.new_weight = 0.25, .unbiased = false}), other(1, norm.options);
  norm.forward(Tensor::of({2, 1}, {3, 5}), Mode::train);
  CHECK(norm.running_weight.item() == 0.25);
  CHECK_THROWS_WITH_AS(restore(other, capture(norm, Part::weights)), doctest::Contains("running_weight is missing"),
                       Error);
  restore(other, capture(norm, Part::weights), Part::weights);
  CHECK(other.running_mean.item() == 4);
  other.forward(Tensor::of({2, 1}, {8, 16}), Mode::train);
  CHECK(other.running_mean.item() == 0.75 * 4 + 0.25 * 12);
  CHECK(other.running_var.item() == 0.75 * 1 + 0.25 * 16);
  CHECK(other.batches.item() == 2);
  restore(other, capture(norm), Part::weights);  // where the weight is there it is taken
  CHECK(other.running_weight.item() == 0.25);
}
