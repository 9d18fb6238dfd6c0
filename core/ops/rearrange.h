// Ops that move values and compute nothing: shape, order of axes, borders, channels, rows.
#pragma once
#include <vector>

#include "../engine/autograd.h"

namespace evenkeel {

Tensor reshape(const Tensor& x, const Shape& shape);  // the same values; shares storage

Tensor transpose(const Tensor& x);  // (A, B) -> (B, A)

// Images are channels last here; in other programs, and in the features of a dense layer after Flatten, they are
// channels first. The two ops are each other's inverse and adjoint.
Tensor to_channels_first(const Tensor& x);  // (N, H, W, C) -> (N, C, H, W)
Tensor to_channels_last(const Tensor& x);   // (N, C, H, W) -> (N, H, W, C)

struct Border {
  int64_t top = 0, bottom = 0, left = 0, right = 0;
};
Tensor pad(const Tensor& x, const Border& border);   // zeros around; its adjoint is crop
Tensor crop(const Tensor& x, const Border& border);  // removes the border; its adjoint is pad

Tensor concat_channels(const std::vector<Tensor>& parts);  // (rows, C1), (rows, C2) ... -> (rows, C1 + C2 + ...)
Tensor slice_channels(const Tensor& x, int64_t begin, int64_t end);       // (rows, C) -> (rows, end - begin)
Tensor embed_channels(const Tensor& x, int64_t begin, int64_t channels);  // the adjoint of slice: zeros elsewhere

// An embedding's lookup, and its gradient. gather_rows: y[i] = x[rows[i]], x (N, ...), y (rows.size(), ...). Its
// adjoint scatter_rows: y[rows[i]] += x[i], y (count, ...) from zeros. A row may occur many times; sums run in the
// order of `rows`. Error if a row is outside [0, N) or [0, count).
Tensor gather_rows(const Tensor& x, const std::vector<int64_t>& rows);
Tensor scatter_rows(const Tensor& x, const std::vector<int64_t>& rows, int64_t count);

}  // namespace evenkeel
