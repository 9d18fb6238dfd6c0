// What reading a file costs grows no faster than the file. Memory decides; EVENKEEL_GROWTH=1 prints the time too.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <functional>

#include "apps/report/run_log.h"
#include "layers/model/safetensors.h"
#include "tests/apps/process.h"
#include "tests/data_files.h"
#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace {

namespace fs = std::filesystem;

std::string repeated(int64_t count, const std::function<std::string(int64_t)>& part) {
  std::string text;
  for (int64_t i = 0; i < count; ++i) text += part(i);
  return text;
}

std::string with_model(const std::string& model) {
  evenkeel::SafeTensors file;
  file.metadata = {{"model", model},  {"norm", "none"}, {"activation", "relu"}, {"init", "he"}, {"input", "28x28x1"},
                   {"classes", "10"}, {"seed", "1"},    {"data", "synthetic"},  {"mean", "0"},  {"deviation", "1"}};
  file.tensors.push_back({"0.weight", "F32", {1}, std::string(4, '\0')});
  return evenkeel::format_safetensors(file);
}

struct Reader {
  std::string name;
  int64_t count;  // of what there are many of
  // Makes such a file, or a folder of files, and says how the program reads it.
  std::function<Arguments(const std::string& path, int64_t count)> make;
};

Arguments evaluated(const std::string& path, const std::string& bytes) {
  save(path, bytes);
  return {"eval", path};
}

Arguments plotted(const std::string& path, const std::string& rows) {
  save(path, evenkeel::log_csv({}, false) + rows);
  return {"plot", path, "--out", "x.svg"};
}

Arguments trained_on(const std::string& path) {
  return {"train",
          "--data",
          path,
          "--samples",
          "100",
          "--batch-size",
          "100",
          "--epochs",
          "1",
          "--model",
          "flatten dense:classes",
          "--out",
          "run"};
}

Arguments idx_folder(const std::string& path, int64_t count, bool packed) {
  fs::create_directories(path);
  for (const auto& [part, n] : {std::pair<std::string, int64_t>{"train", count}, {"t10k", 100}})
    for (const bool images : {true, false}) {
      const auto rows = static_cast<uint32_t>(n);
      const std::string bytes = images ? idx({rows, 28, 28}, {1, 2, 3, 5, 250}) : idx({rows}, {0, 1, 2});
      const std::string name = path + "/" + part + (images ? "-images-idx3-ubyte" : "-labels-idx1-ubyte");
      save(name + (packed ? ".gz" : ""), packed ? deflated(bytes) : bytes);
    }
  return trained_on(path);
}

Arguments cifar_folder(const std::string& path, int64_t count) {
  fs::create_directories(path);
  for (const auto& [name, n] : {std::pair<std::string, int64_t>{"data_batch_1.bin", count}, {"test_batch.bin", 100}}) {
    std::string bytes;
    for (int64_t i = 0; i < n; ++i) bytes += static_cast<char>(i % 10) + std::string(3072, static_cast<char>(i));
    save(path + "/" + name, bytes);
  }
  return trained_on(path);
}

const std::vector<Reader>& readers() {
  static const std::vector<Reader> all = {
      {"safetensors: names of tensors", 20'000,
       [](const std::string& path, int64_t n) {
         const auto entry = [](int64_t i) {
           return fmt::format("{}\"t{}\":{{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}}", i ? "," : "", i);
         };
         return evaluated(path, with_length("{" + repeated(n, entry) + "}"));
       }},
      {"safetensors: metadata", 40'000,
       [](const std::string& path, int64_t n) {
         const auto entry = [](int64_t i) { return fmt::format("{}\"k{}\":\"\"", i ? "," : "", i); };
         return evaluated(path, with_length("{\"__metadata__\":{" + repeated(n, entry) + "}}"));
       }},
      {"safetensors: one tensor", 16 << 20,
       [](const std::string& path, int64_t n) {
         const std::string header =
             fmt::format("{{\"a\":{{\"dtype\":\"U8\",\"shape\":[{0}],\"data_offsets\":[0,{0}]}}}}", n);
         return evaluated(path, with_length(header) + std::string(static_cast<size_t>(n), '\0'));
       }},
      {"safetensors: layers of a model", 1500,
       [](const std::string& path, int64_t n) {
         const std::string layers = repeated(n, [](int64_t) { return "relu "; });
         return evaluated(path, with_model("flatten " + layers + "dense:classes"));
       }},
      {"config.json: options", 20'000,
       [](const std::string& path, int64_t n) {
         const auto entry = [](int64_t i) { return fmt::format("{}\"o{}\":1", i ? "," : "", i); };
         save(path, "{\"options\":{" + repeated(n, entry) + "}}");
         return Arguments{"train", "--config", path, "--out", "run"};
       }},
      {"log.csv: columns", 500'000,
       [](const std::string& path, int64_t n) { return plotted(path, repeated(n, [](int64_t) { return "1,"; })); }},
      {"log.csv: epochs", 4'000,
       [](const std::string& path, int64_t n) {
         return plotted(path, repeated(n, [](int64_t i) { return fmt::format("{},1,1,0.5,1,0.5,1,1\n", i + 1); }));
       }},
      {"IDX", 5'000, [](const std::string& path, int64_t n) { return idx_folder(path, n, false); }},
      {"IDX in a gzip", 5'000, [](const std::string& path, int64_t n) { return idx_folder(path, n, true); }},
      {"CIFAR", 1'000, cifar_folder}};
  return all;
}

uint64_t size_of(const std::string& path) {
  if (fs::is_regular_file(path)) return fs::file_size(path);
  uint64_t size = 0;
  for (const auto& entry : fs::directory_iterator(path)) size += entry.file_size();
  return size;
}

}  // namespace

TEST_CASE("what it costs to read a file of many parts grows no faster than the file") {
  const double base = static_cast<double>(run({"--version"}).used.ru_maxrss);
  for (const Reader& reader : readers()) {
    CAPTURE(reader.name);
    double before = 0;
    for (const int64_t factor : {1, 4}) {
      const Scratch scratch;
      const Arguments arguments = reader.make(scratch / "it", factor * reader.count);
      const uint64_t bytes = size_of(scratch / "it");
#ifdef __GLIBC__
      malloc_trim(0);  // what the test itself used and freed would count as the program's, which fork begins with it
#endif
      const Outcome o = run(arguments);
      CHECK_MESSAGE((o.status == 0 || o.status == 4), o.err.substr(0, 300));
      const double kib = std::max(static_cast<double>(o.used.ru_maxrss) - base, 1024.0);
      if (std::getenv("EVENKEEL_GROWTH"))
        fmt::print("{:34} {:10} bytes {:7.1f} MiB {:6.3f} s\n", reader.name, bytes, kib / 1024,
                   static_cast<double>(o.used.ru_utime.tv_sec) + 1e-6 * static_cast<double>(o.used.ru_utime.tv_usec));
      if (factor > 1)
        CHECK_MESSAGE(kib <= 1.2 * static_cast<double>(factor) * before + 2048, kib << " KiB, before " << before);
      before = kib;
    }
  }
}
