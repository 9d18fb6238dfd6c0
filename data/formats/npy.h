// NumPy arrays as a data set: pairs of images and labels, as .npy files or in an .npz archive.
//
// The words in an array's name (letters and digits; anything else separates them) say what it is:
//   images: images, image, imgs, img, x, data        labels: labels, label, y, targets, target
//   of the test set: test, t10k; of the validation set: val, valid, validation; else of the training set
// Example: Keras' x_train, y_train, x_test, y_test. A validation set is the test set if there is no other. Other arrays
// are ignored.
//
// Images are (N, H, W), (N, H, W, C) or, with PictureOptions::channels_first, (N, C, H, W), with C 1 or 3, of uint8,
// float32 or float64; labels are (N) or (N, 1), of any integer type.
#pragma once
#include <string>
#include <vector>

#include "../dataset.h"
#include "image_folder.h"

namespace evenkeel {

// Whether the path is such a data set: an .npz file, or a folder with a pair of .npy files.
bool is_npy_set(const std::string& path);

// Floats in 0..1 are multiplied by 255, floats in -1..1 are mapped onto 0..255, and floats in 0..255 keep their values;
// all are rounded to 8 bits, and report.note says so. Without a test set, options.holdout of every class is held out.
// Labels stay as they are in the files. Throws Error(Fault::bad_file), starting with the file's name, for other arrays,
// for NaN and infinity (with their index), for values outside these ranges, and for a file that is shorter than its
// header says.
DataSplit read_npy_set(const std::string& path, const PictureOptions& options, const LoadReport& report);

}  // namespace evenkeel
