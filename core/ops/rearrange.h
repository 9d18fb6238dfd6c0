// Ops that move values and compute nothing: shape, order of axes, borders, channels, rows.
#pragma once
#include <vector>

#include "../engine/autograd.h"

namespace evenkeel {

Tensor reshape(const Tensor& x, const Shape& shape);  // the same values; shares storage

Tensor transpose(const Tensor& x);  // (A, B) -> (B, A)

// Images are kept channels last; other programs, and the features of a dense layer after them, count channels first.
// Each is the other's inverse and adjoint.
Tensor to_channels_first(const Tensor& x);  // (N, H, W, C) -> (N, C, H, W)
Tensor to_channels_last(const Tensor& x);   // (N, C, H, W) -> (N, H, W, C)

struct Border {
  int64_t top = 0, bottom = 0, left = 0, right = 0;
};
Tensor pad(const Tensor& x, const Border& border);   // zeros around; its adjoint is crop
Tensor crop(const Tensor& x, const Border& border);  // takes the border away; its adjoint is pad

Tensor concat_channels(const std::vector<Tensor>& parts);  // (rows, C1), (rows, C2) ... -> (rows, C1 + C2 + ...)
Tensor slice_channels(const Tensor& x, int64_t begin, int64_t end);       // (rows, C) -> (rows, end - begin)
Tensor embed_channels(const Tensor& x, int64_t begin, int64_t channels);  // the adjoint of slice: zeros elsewhere

// An embedding's lookup, and its gradient. y[i] = x[rows[i]], for x (N, ...) and y (rows.size(), ...): the adjoint of
// scatter_rows, y[rows[i]] += x[i], where all other rows of y (count, ...) are zero. A row may be named many times;
// sums run in the order of `rows`. Error: a row outside [0, N).
Tensor gather_rows(const Tensor& x, const std::vector<int64_t>& rows);
Tensor scatter_rows(const Tensor& x, const std::vector<int64_t>& rows, int64_t count);

}  // namespace evenkeel
