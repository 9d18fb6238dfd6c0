// A data set of the user's own, by its path.
#pragma once
#include "../formats/image_folder.h"

namespace evenkeel {

// What the folder holds decides, in this order:
//   - IDX files: images and labels of a train part and of a t10k or test part. Names may be dotted or dashed, plain or
//     .gz, and may have a prefix; FOLDER/PREFIX chooses one of several sets. Names that begin with emnist are stored
//     column by column.
//   - CIFAR's files: data_batch_*.bin and test_batch.bin with one label a record, or train.bin and test.bin with two.
//   - NumPy's arrays: read_npy_set (data/formats/npy.h), in a folder or in an .npz file.
//   - else pictures: read_image_folder.
// Shape, number of images and classes come from the files; where no label is 0, the first class is label 1. With a
// height or channels among the options all images are brought to them (fit_picture).
DataSplit load_own(const std::string& path, const PictureOptions& options, const LoadReport& report);

}  // namespace evenkeel
