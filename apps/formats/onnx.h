// ONNX: a network for inference in other programs. Written by hand: protobuf's wire format is small.
#pragma once
#include <map>

#include "layers/sequential.h"

namespace evenkeel {

// The contents of a model file: "input" (N, C, H, W), normalised as in training, to "logits" (N, classes). `input` is
// (H, W, C). In the lowest opset that has its operators: 13; with a layer norm 17, with a group norm 21.
// Error(Fault::usage), with the name, for a layer that is not the library's.
std::string format_onnx(Sequential& network, const Shape& input, int64_t classes,
                        const std::map<std::string, std::string>& metadata);

}  // namespace evenkeel
