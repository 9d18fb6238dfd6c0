// Loads a user's own data set by its path.
#pragma once
#include "../formats/image_folder.h"

namespace evenkeel {

// The folder's contents decide, in this order:
//   - IDX files: images and labels of a train part and of a t10k or test part. Names may use dots or dashes, be plain
//     or .gz, and have a prefix; FOLDER/PREFIX chooses one of several sets. Files with names that start with emnist are
//     stored column by column.
//   - CIFAR files: data_batch_*.bin and test_batch.bin with one label a record, or train.bin and test.bin with two.
//   - NumPy arrays: read_npy_set (data/formats/npy.h), in a folder or in an .npz file.
//   - otherwise pictures: read_image_folder.
// Shape, number of images and classes come from the files; if no label is 0, the first class has label 1. If the
// options give a height or channels, all images are converted (fit_picture).
DataSplit load_own(const std::string& path, const PictureOptions& options, const LoadReport& report);

}  // namespace evenkeel
