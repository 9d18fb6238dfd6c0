#include "apps/practice/runner/grade.h"

#include <algorithm>
#include <cmath>

namespace evenkeel::practice {

Matrix::Matrix(const Tensor& t) : rows(0), columns(0), shape("none") {
  if (!t.defined()) return;
  rows = t.shape().rank() ? t.rows() : 1;
  columns = t.channels();
  values.assign(t.data(), t.data() + t.size());
  shape = t.shape().str();
}

void Grade::law(const std::string& name, const std::string& sentence, const std::string& look) {
  laws_.push_back({name, sentence, look, {}});
}

void Grade::given(const std::string& name, const Matrix& value) {
  auto& all = laws_.back().given;
  const auto same = std::find_if(all.begin(), all.end(), [&](const auto& g) { return g.first == name; });
  if (same == all.end())
    all.emplace_back(name, value);
  else
    same->second = value;
}

void Grade::equal(const std::string& what, const Matrix& expected, const Matrix& found, double tolerance) {
  bool same = expected.rows == found.rows && expected.columns == found.columns &&
              (expected.shape.empty() || found.shape.empty() || expected.shape == found.shape);
  double largest = 0;
  for (double e : expected.values) largest = std::max(largest, std::abs(e));
  for (size_t i = 0; same && i < expected.values.size(); ++i)
    same = std::abs(expected.values[i] - found.values[i]) <= tolerance * (largest > 0 ? largest : 1);  // false for NaN
  if (same) return;
  failure_ = {what, "", {expected, found}};
  throw Broken();
}

void Grade::same_shape(const std::string& what, const Shape& expected, const Tensor& found) {
  const std::string shape = found.defined() ? found.shape().str() : "none";
  holds(shape == expected.str(), what + " has the shape " + shape + ". It must be " + expected.str() + ".");
}

void Grade::holds(bool it_does, const std::string& seen) {
  if (it_does) return;
  failure_ = {"", seen, {}};
  throw Broken();
}

}  // namespace evenkeel::practice
