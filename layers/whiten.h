// Whiten: a convolution whose filters are measured on images, not trained, so that its outputs are uncorrelated and
// have equal variance (Jordan 2024, "94% on CIFAR-10 in 3.29 seconds", section 3.2).
#pragma once
#include <functional>

#include "conv2d.h"
#include "sequential.h"

namespace evenkeel {

// The filters are v / sqrt(eigenvalue + eps) for the eigenvectors v of the second moments of all size x size patches:
// first +v, from the largest eigenvalue to the smallest, then -v, because a ReLU or GELU passes only one sign. 2 size^2
// C filters, no padding. Until fit() the second moments are the identity matrix. The bias is trained.
struct Whiten : Conv2d {
  Whiten(int64_t channels, int64_t size, double small = standard_eps);
  // Sets the filters from the patches of x (N, H, W, C). Error if there is no image, or if it is smaller than a
  // filter. The filters are a buffer: saved with the weights, not trained.
  void fit(const Tensor& x);
  void visit(Visitor& v) override;
  std::string describe() const override;

  static constexpr double standard_eps = 5e-4;
  double eps;  // above 0; for pixels of standard deviation 1
};

// Fits every Whiten among the network's top layers to its input for x = images(), (N, H, W, C). Calls images() only if
// there is a Whiten.
void fit_whitening(Sequential& network, const std::function<Tensor()>& images);

}  // namespace evenkeel
