// Golden values: what PyTorch computed, in the files of tests/golden beside the scripts that made them; for both scalar
// types.
#pragma once
#include <doctest/doctest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/ops/ops.h"

namespace evenkeel {

inline nlohmann::json golden(const std::string& name) {
  std::ifstream file(EVENKEEL_SOURCE_DIR "/tests/golden/" + name);
  return nlohmann::json::parse(file);
}

// Tensor number t of the scripts.
inline Tensor wave(const Shape& shape, int t) {
  Tensor x = Tensor::empty(shape);
  real* to = x.mutable_data();
  for (int64_t i = 0; i < x.size(); ++i) to[i] = static_cast<real>(std::sin(0.7 * static_cast<double>(i) + t));
  return x;
}

inline void check_golden(const Tensor& got, const nlohmann::json& values, double tolerance) {
  const auto expected = values.get<std::vector<double>>();
  REQUIRE(static_cast<size_t>(got.size()) == expected.size());
  double error = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    const double e = std::abs(static_cast<double>(got.data()[i]) - expected[i]);
    error = e <= error ? error : e;  // NaN wins
  }
  CHECK(error <= tolerance);
}

}  // namespace evenkeel
