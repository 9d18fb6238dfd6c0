// ONNX: a network for inference in other programs. Opset 13, written by hand: protobuf's wire format is small.
#pragma once
#include <map>

#include "layers/sequential.h"

namespace evenkeel {

// The contents of a model file: "input" (N, C, H, W), normalised as in training, to "logits" (N, classes). `input` is (H, W, C).
// Error(Fault::usage) where a layer has no counterpart.
std::string format_onnx(Sequential& network, const Shape& input, int64_t classes, const std::map<std::string, std::string>& metadata);

}  // namespace evenkeel
