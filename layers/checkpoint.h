// A network's parameters, buffers and random streams, to and from a safetensors file.
//
// Names are those of visit(), joined with dots, as in PyTorch's Sequential. Convolution weights are written (K, C, R, S).
#pragma once
#include "layers/layer.h"
#include "layers/safetensors.h"

namespace evenkeel {

SafeTensors capture(Layer& layer);  // the state of a network, as what a file holds
// Writes the stored values into the network. Every value that the network names must be there with its shape; what the file holds
// besides (an optimiser's buffers) is left alone. Missing or misshapen: Error(Fault::bad_file) that lists the names.
void restore(Layer& layer, const SafeTensors& stored);

StoredTensor store(const std::string& name, const Tensor& value);  // as it stands, no axis moved
Tensor load(const StoredTensor& stored);

}  // namespace evenkeel
