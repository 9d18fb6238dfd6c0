// NumPy's .npz: named arrays as .npy files in a ZIP archive, not compressed.
#pragma once
#include "layers/model/safetensors.h"

namespace evenkeel {

std::string format_npz(const std::vector<StoredTensor>& arrays);

}  // namespace evenkeel
