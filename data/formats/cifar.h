// CIFAR's binary files: records of label bytes and the red, the green and the blue plane of a 32x32 image.
#pragma once
#include <string>
#include <string_view>

#include "../../core/base/file.h"
#include "../dataset.h"

namespace evenkeel {

// Appends the records of a file's contents to data.pixels, channels last, and data.labels: exactly `records` of them,
// or with 0 as many as there are, each `label_bytes` labels (the last one counts: CIFAR-100 has the coarse label before
// the fine one) and the planes of data.image. Where data.classes is 0 any labels are taken. Throws
// Error(Fault::bad_file) with the name and what is wrong; a file of another size is not read.
void read_cifar(Dataset& data, const std::string& path, int64_t records, int64_t label_bytes);
void parse_cifar(Dataset& data, const std::string& name, std::string_view bytes, int64_t records, int64_t label_bytes);

}  // namespace evenkeel
