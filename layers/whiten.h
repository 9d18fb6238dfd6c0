// Whiten: a convolution whose filters are measured on images, not trained, so that its outputs are uncorrelated and of
// like size (Jordan 2024, "94% on CIFAR-10 in 3.29 seconds", section 3.2).
#pragma once
#include <functional>

#include "conv2d.h"
#include "sequential.h"

namespace evenkeel {

// The eigenvectors v of the second moments of all size x size patches, each over sqrt(eigenvalue + eps), first +v of
// the largest to the smallest eigenvalue, then -v: 2 size^2 C filters without padding, as a ReLU or GELU after them
// passes on one sign. Before fit() the patches' moments are taken to be 1, uncorrelated. The bias is trained.
struct Whiten : Conv2d {
  Whiten(int64_t channels, int64_t size, double small = standard_eps);
  // Measures x (N, H, W, C). Not trained means: a buffer of the network's, saved and loaded with its weights.
  void fit(const Tensor& x);
  void visit(Visitor& v) override;
  std::string describe() const override;

  static constexpr double standard_eps = 5e-4;
  double eps;  // relative to pixels of deviation 1
};

// Fits every Whiten among the network's own layers, on what the layers before it make of x = images(), (N, H, W,
// C), which is not called where there is none.
void fit_whitening(Sequential& network, const std::function<Tensor()>& images);

}  // namespace evenkeel
