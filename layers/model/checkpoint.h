// A network's parameters, buffers and random streams, to and from a safetensors file.
//
// Names are those of visit(), joined with dots, and shapes and orders of axes are PyTorch's, for torch.nn.Sequential of
// the same layers: convolution weights (K, C, R, S), dense ones after flatten in C H W order, num_batches_tracked as
// I64. Values that PyTorch does not have (random streams, the weight of a running average, an optimiser's buffers) have
// names that begin with "evenkeel.".
#pragma once
#include "../layer.h"
#include "safetensors.h"

namespace evenkeel {

inline const std::string own_prefix = "evenkeel.";

enum class Part {
  everything,  // all must be there: to resume a training
  weights  // parameters and buffers: what inference needs and other programs write. Running averages without a weight
           // get weight 1: training then moves them as PyTorch does
};

// Copies the layer's values. Error as named().
SafeTensors capture(Layer& layer, Part part = Part::everything);
// Writes the stored values into the network. Part::weights takes files as other programs write them:
//   - A prefix that all names share ("module.", "_orig_mod.") is removed.
//   - A bias that this network lacks, because a normalisation follows, is subtracted from the running mean.
//   - num_batches_tracked may have any integer type and any shape of one number, or be missing.
// Every value that the network names must be there with its shape, finite and valid (a variance is not negative). Other
// names must begin with own_prefix. Otherwise Error(Fault::bad_file) lists what is wrong, and the network is unchanged.
void restore(Layer& layer, const SafeTensors& stored, Part part = Part::everything);

StoredTensor store(const std::string& name, const Tensor& value);  // F32, in double F64; axes keep their order
// Converts any numeric type; F16 and BF16 exactly. Error(Fault::bad_file), with the name, if a number is not finite.
Tensor load(const StoredTensor& stored);

}  // namespace evenkeel
