// NumPy's .npz: named arrays as .npy files in an uncompressed ZIP archive.
#pragma once
#include "layers/model/safetensors.h"

namespace evenkeel {

std::string format_npz(const std::vector<StoredTensor>& arrays);

}  // namespace evenkeel
