// A trained network in a file: its weights, and in the metadata everything needed to use it on images.
#pragma once
#include "data/catalogue/load.h"
#include "data/loader.h"
#include "layers/model/checkpoint.h"
#include "layers/model/spec.h"

namespace evenkeel {

struct NetworkInfo {
  ModelOptions model;                         // as a full spec: the meaning of a model's name may change
  std::string data;                           // its training set
  Normalization normalization;                // of the pixels
  std::vector<std::string> class_names = {};  // by label; empty for a file of evenkeel 0.1.0 or of another program
  double held_out = 0;                        // DataSplit::held_out
  std::string held_out_crc = {};              // checksum() of the test images, if a part of the set was held out
  std::string flip = {};                      // flip_word() of the training
};
// Size, colour and classes of the training images, to read a folder of pictures with the same preprocessing.
PictureOptions picture_options(const NetworkInfo& info, bool skip_bad);

struct NetworkFile {
  NetworkInfo info;
  std::unique_ptr<Sequential> network;
};

// The network's file, given by itself or by its run's folder: then best.safetensors, or last.safetensors if no epoch is
// finished (with a line on stderr). Error(Fault::missing) if the folder has neither.
std::string network_path(const std::string& given);

// Reads the file by run_file(): a run's file belongs to the same run as the config.json that is read with it.
SafeTensors read_network(const std::string& path);

SafeTensors pack_network(Sequential& network, const NetworkInfo& info, Part part = Part::everything);
// Builds the network that the options describe, with the weights of a file, possibly another program's.
NetworkFile open_weights(const std::string& path, const NetworkInfo& info, const Vocabulary& vocabulary);
// Loads Part::weights of a file into a network, for fine-tuning: a last layer for other classes, or another number of
// them, keeps its initial weights; one for the same classes in another order gets its rows in the new one. Returns a
// line that says so, or "" if all weights were loaded as they are. Error(Fault::usage) if they do not fit because the
// file is for images of another size; otherwise Error(Fault::bad_file), with the path.
std::string load_start(const std::string& path, Sequential& network, const NetworkInfo& info);
// Error(Fault::bad_file), with the path, if the file has no network.
NetworkFile open_network(const std::string& path, const Vocabulary& vocabulary);

// Loads the set `data` or, if empty, the network's training set; its images may be mirrored if the training's might.
// Says on stderr if its test images are a part held out that is not the training's.
// Error(Fault::bad_file) if the file names no known set.
DataSplit load_images(const NetworkFile& file, const std::string& path, const DataSets& own, const std::string& data,
                      const std::string& data_dir, bool skip_bad);

// The value of a metadata key; Error(Fault::bad_file) if there is none.
const std::string& metadata(const SafeTensors& stored, const std::string& key, const std::string& path);

}  // namespace evenkeel
