// CIFAR's binary files: records of label bytes and the red, green and blue planes of a 32x32 image.
#pragma once
#include <string>
#include <string_view>

#include "../../core/io/file.h"
#include "../dataset.h"

namespace evenkeel {

// Appends a file's records to data.pixels (channels last) and data.labels: exactly `records` of them, or all if it is
// 0. A record has `label_bytes` labels (the last one counts: CIFAR-100 has the coarse label before the fine one) and
// the planes of data.image. If data.classes is 0, any label is accepted. Throws Error(Fault::bad_file), with the name
// and the reason; a file of the wrong size is not read.
void read_cifar(Dataset& data, const std::string& path, int64_t records, int64_t label_bytes);
void parse_cifar(Dataset& data, const std::string& name, std::string_view bytes, int64_t records, int64_t label_bytes);

}  // namespace evenkeel
