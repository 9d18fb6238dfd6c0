// evenkeel predict: classifies pictures, one line each.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <numeric>

#include "apps/cli/command.h"
#include "apps/cli/console.h"
#include "apps/cli/options.h"
#include "apps/formats/network_file.h"
#include "core/base/parallel.h"
#include "core/engine/autograd.h"
#include "core/io/utf8.h"
#include "data/formats/image_folder.h"
#include "layers/model/inference.h"

namespace evenkeel {
namespace {

constexpr size_t at_once = 64;  // pictures in memory

struct PredictOptions {
  std::string network;
  std::vector<std::string> images;
  bool json = false;
};

Picture read(const std::string& file, const Shape& image) {
  if (file != "-") return read_picture(file, image[0], image[1], image[2]);
  const std::string bytes((std::istreambuf_iterator<char>(std::cin)), {});
  return fit_picture(decode_picture("standard input", bytes), image[0], image[1], image[2]);
}

class Predictor {
 public:
  Predictor(const PredictOptions& options, const Registry& registry)
      : o_(options), file_(open_network(network_path(options.network), registry.layers)) {
    const Shape& image = file_.info.model.input;
    check(image[2] == 1 || image[2] == 3, "predict: {} is for images of {} channels; pictures have 1 or 3", o_.network,
          image[2]);
    prepare_inference(*file_.network);
  }

  int operator()() {
    for (const std::string& image : o_.images) {
      std::error_code ignored;
      if (!std::filesystem::is_directory(image, ignored)) {
        add(image);
        continue;
      }
      bool listed = true;
      const std::vector<std::string> files = picture_files(image, [&](const std::string& why) {
        pass_over_folder(why, Fault::io);
        listed = false;
      });
      if (files.empty() && listed)
        pass_over_folder(fmt::format("{}: there is no picture in the folder", on_one_line(image)), Fault::bad_file);
      for (const std::string& file : files) add(file);
    }
    flush();
    return status_;
  }

 private:
  // Notes a folder, after the lines of the pictures before it.
  void pass_over_folder(const std::string& why, Fault fault) {
    flush();
    pass_over(why, fault);
  }

  void pass_over(const std::string& why, Fault fault) {
    note("evenkeel: " + why);
    if (status_ == 0) status_ = static_cast<int>(fault);
  }

  void add(const std::string& file) {
    files_.push_back(file);
    if (files_.size() == at_once) flush();
  }

  void flush() {
    const Shape& image = file_.info.model.input;
    const size_t n = files_.size();
    std::vector<Picture> pictures(n);
    std::vector<std::string> errors(n);
    std::vector<Fault> faults(n);
    parallel_for(static_cast<int64_t>(n), [&](int64_t i) {
      try {
        pictures[i] = read(files_[i], image);
      } catch (const Error& error) {
        errors[i] = error.what();
        faults[i] = error.fault;
      }
    });
    // One picture a forward pass: its probabilities must not depend on the other pictures.
    for (size_t i = 0; i < n; ++i) {
      if (errors[i].empty()) {
        print(files_[i], probabilities(pictures[i]));
        continue;
      }
      pass_over(errors[i], faults[i]);
    }
    files_.clear();
  }

  std::vector<double> probabilities(const Picture& picture) {
    const Recording off(false);
    const Shape& image = file_.info.model.input;
    const Normalization& by = file_.info.normalization;
    Tensor x = Tensor::empty({1, image[0], image[1], image[2]});
    real* out = x.mutable_data();
    for (int64_t i = 0; i < x.size(); ++i) {
      const auto c = static_cast<size_t>(i % image[2]);
      out[i] = (static_cast<real>(picture.pixels[i]) - static_cast<real>(by.mean[c])) *
               (1 / static_cast<real>(by.deviation[c]));
    }
    const std::vector<real> logits = file_.network->forward(x, Mode::eval).values();
    const double largest = *std::max_element(logits.begin(), logits.end());
    std::vector<double> p;
    double sum = 0;
    for (const real l : logits) sum += p.emplace_back(std::exp(static_cast<double>(l) - largest));
    for (double& v : p) v /= sum;
    if (!std::isfinite(sum)) fail(Fault::failed, "predict: the network's outputs overflow; use an earlier checkpoint");
    return p;
  }

  std::string name(size_t label) const {
    return label < file_.info.class_names.size() ? file_.info.class_names[label] : std::to_string(label);
  }

  void print(const std::string& file, const std::vector<double>& p) {
    std::vector<size_t> order(p.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return p[a] > p[b]; });
    if (o_.json) {
      nlohmann::ordered_json line{
          {"file", on_one_line(file)}, {"class", name(order[0])}, {"probabilities", nlohmann::ordered_json::object()}};
      for (const size_t label : order) line["probabilities"][name(label)] = p[label];
      say("{}\n", line.dump());
      return;
    }
    std::string line = on_one_line(file) + ":";
    for (size_t i = 0; i < std::min<size_t>(3, order.size()); ++i)
      line += fmt::format("{} {} {:.4f}", i ? "," : "", name(order[i]), p[order[i]]);
    say("{}\n", line);
  }

  const PredictOptions& o_;
  NetworkFile file_;
  std::vector<std::string> files_;
  int status_ = 0;
};

}  // namespace

Action predict_command(CLI::App& app, const Registry& registry) {
  const auto o = std::make_shared<PredictOptions>();
  app.add_option("FILE", o->network, "a .safetensors file that evenkeel train wrote, or its run's folder")->required();
  app.add_option("IMAGE", o->images, "PNG and JPEG files, folders of them, or - for a picture on standard input")
      ->required();
  add_flag(app, "--json", o->json, "print one JSON object per line, with the probability of every class");
  add_threads(app);
  app.footer(
      "One line per picture, in the given order (a folder's in byte order): its file, and the three most probable "
      "classes with their probabilities. Pictures are converted to the size and colour of the training images. A "
      "file that is no picture, and a folder without one, are named on standard error; the others are processed, "
      "and the exit status is 4, or 5 if one cannot be read.");
  return [o, &registry] { return Predictor(*o, registry)(); };
}

}  // namespace evenkeel
