// Restores the values of tensors at the end of a scope, also after an exception.
#pragma once
#include <vector>

#include "../../core/engine/tensor.h"

namespace evenkeel {

class KeptValues {
 public:
  explicit KeptValues(std::vector<Tensor> tensors) : tensors_(std::move(tensors)) {
    for (const Tensor& t : tensors_) before_.push_back(t.clone());
  }
  ~KeptValues() {
    for (size_t i = 0; i < tensors_.size(); ++i) tensors_[i].copy_from(before_[i]);
  }
  KeptValues(const KeptValues&) = delete;
  KeptValues& operator=(const KeptValues&) = delete;
  const Tensor& operator[](size_t i) const { return before_[i]; }

 private:
  std::vector<Tensor> tensors_, before_;
};

}  // namespace evenkeel
