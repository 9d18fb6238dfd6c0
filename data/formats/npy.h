// NumPy's arrays as a data set: pairs of images and labels, as .npy files or in an .npz archive.
//
// The words of a name, parted by what is neither letter nor digit, say what an array is:
//   images: images, image, imgs, img, x, data        labels: labels, label, y, targets, target
//   of the test set: test, t10k; of the validation set: val, valid, validation; else of the training set
// x_train, y_train, x_test, y_test of Keras are such names. A validation set is the test set where there is no other.
// Other arrays are passed over.
//
// Images are (N, H, W), (N, H, W, C) or, where it is said, (N, C, H, W) with C 1 or 3, of uint8, float32 or float64;
// labels are (N) or (N, 1), of any type of integers.
#pragma once
#include <string>
#include <vector>

#include "../dataset.h"
#include "image_folder.h"

namespace evenkeel {

// Whether the path is a data set of this form: an .npz file, or a folder in which a pair of .npy files is.
bool is_npy_set(const std::string& path);

// Floats from 0 to 1 are taken times 255, from -1 to 1 mapped onto 0 to 255, others from 0 to 255 as they are, each
// rounded to 8 bits, which report.note says. Where there is no test set, options.holdout of every class is. Labels are
// as they stand in the files. Throws Error(Fault::bad_file), beginning with the file's name, for what is not as above,
// NaN and infinity with their place, values in no such range, and what a header promises and the file does not hold.
DataSplit read_npy_set(const std::string& path, const PictureOptions& options, const LoadReport& report);

}  // namespace evenkeel
