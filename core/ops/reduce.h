// Sums and their adjoints `spread`, which broadcast. A tensor is seen as a matrix of rows x channels. Each sum is the
// adjoint of the spread below it: <sum(x), g> = <x, spread(g)>, so each is the other's derivative.
#pragma once
#include "elementwise.h"

namespace evenkeel {

Tensor sum(const Tensor& x);                                   // any shape -> ()
Tensor spread(const Tensor& s, const Shape& shape);            // () -> shape
Tensor sum_rows(const Tensor& x);                              // (rows, C) -> (C): over all rows
Tensor spread_rows(const Tensor& v, const Shape& shape);       // (C) -> (rows, C)
Tensor sum_channels(const Tensor& x);                          // (rows, C) -> (rows)
Tensor spread_channels(const Tensor& v, const Shape& shape);   // (rows) -> (rows, C)
Tensor sum_positions(const Tensor& x);                         // (N, ..., C) -> (N, C): within each example
Tensor spread_positions(const Tensor& v, const Shape& shape);  // (N, C) -> (N, ..., C)
Tensor mean(const Tensor& x);  // the sum divided by its number of terms; Error if it is 0
Tensor mean_rows(const Tensor& x);
Tensor mean_channels(const Tensor& x);

// Writes gate(g, y) to `gated`, which may share g's values, and returns its sum over rows (C), in one pass; both are
// constants.
Tensor gate_and_sum_rows(const Tensor& g, const Tensor& y, Tensor& gated);

Tensor dot(const Tensor& a, const Tensor& b);               // sum of a_i b_i, ()
Tensor squared_distance(const Tensor& a, const Tensor& b);  // sum of (a_i - b_i)^2, ()

}  // namespace evenkeel
