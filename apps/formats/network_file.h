// A trained network in a file: its weights, and in the metadata all that is needed to use it on images.
#pragma once
#include "data/catalogue/load.h"
#include "data/loader.h"
#include "layers/model/checkpoint.h"
#include "layers/model/spec.h"

namespace evenkeel {

struct NetworkInfo {
  ModelOptions model;                         // its text written out: named models may change, files stay
  std::string data;                           // the set it was trained on
  Normalization normalization;                // of the pixels
  std::vector<std::string> class_names = {};  // by label; empty: a file of evenkeel 0.1.0's, or another program's
  double held_out = 0;                        // DataSplit::held_out
};
// Size, colour and classes of the network's training images: a folder of pictures is read with the same preprocessing.
PictureOptions picture_options(const NetworkInfo& info, bool skip_bad);

struct NetworkFile {
  NetworkInfo info;
  std::unique_ptr<Sequential> network;
};

// The file of a network that is named by its file or by its run's folder: of that best.safetensors, or last.safetensors
// where no epoch is finished, which a line on stderr says. Error(Fault::missing) where the folder has neither.
std::string network_path(const std::string& given);

SafeTensors pack_network(Sequential& network, const NetworkInfo& info, Part part = Part::everything);
// The network that options describe with the weights of a file, which may be another program's.
NetworkFile open_weights(const std::string& path, const NetworkInfo& info, const Vocabulary& vocabulary);
// Part::weights of a file into a network; Error(Fault::bad_file) with the path where they do not fit.
void load_weights(const std::string& path, Sequential& network);
// As load_weights, but for fine-tuning: a last layer that differs only in the number of classes keeps its initial
// weights. Returns a line that says so, or "" where all weights were loaded.
std::string load_start(const std::string& path, Sequential& network);
// Error(Fault::bad_file) with the path where the file does not hold a network.
NetworkFile open_network(const std::string& path, const Vocabulary& vocabulary);

// The images of the set that `data` names or, where that is empty, that the network was trained on:
// Error(Fault::bad_file) where the file names none that there is.
DataSplit load_images(const NetworkFile& file, const std::string& path, const DataSets& own, const std::string& data,
                      const std::string& data_dir, bool skip_bad);

// The value of a key of the metadata; Error(Fault::bad_file) where there is none.
const std::string& metadata(const SafeTensors& stored, const std::string& key, const std::string& path);

}  // namespace evenkeel
