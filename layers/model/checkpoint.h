// A network's parameters, buffers and random streams, to and from a safetensors file.
//
// Names are those of visit(), joined with dots, and shapes and orders of axes are PyTorch's, for torch.nn.Sequential of
// the same layers: convolution weights (K, C, R, S), dense ones after flatten in C H W order, num_batches_tracked as
// I64. What PyTorch knows nothing of (random streams, the weight of a running average, an optimiser's buffers) has
// names that begin with "evenkeel.".
#pragma once
#include "../layer.h"
#include "safetensors.h"

namespace evenkeel {

inline const std::string own_prefix = "evenkeel.";

enum class Part {
  everything,  // all must be there: for going on
  weights      // parameters and buffers: all that inference needs, and what other programs write. Running averages that
               // come without their weight are taken to be complete (weight 1): training moves them on as PyTorch does
};

SafeTensors capture(Layer& layer, Part part = Part::everything);
// Writes the stored values into the network. Part::weights takes files as other programs write them:
//   - A prefix that all names share ("module.", "_orig_mod.") is taken off.
//   - A bias before a normalisation, for which this network has no place, is taken off the running mean.
//   - num_batches_tracked may be of any type of integer, in any shape, or not be there.
// Every value that the network names must be there with its shape, finite and possible for
// what it is (a variance is not negative), and nothing besides but under names of our own. Else Error(Fault::bad_file)
// that lists what is wrong, and the network is as it was.
void restore(Layer& layer, const SafeTensors& stored, Part part = Part::everything);

StoredTensor store(const std::string& name, const Tensor& value);  // as it stands, no axis moved
// Of any type of number; F16 and BF16 exactly. Error(Fault::bad_file) with its name where a number is not finite.
Tensor load(const StoredTensor& stored);

}  // namespace evenkeel
