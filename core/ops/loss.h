// Losses, softmax and its logarithm.
#pragma once
#include <vector>

#include "../engine/autograd.h"

namespace evenkeel {

using Labels = std::vector<int32_t>;

// Error if C is 0.
Tensor softmax(const Tensor& x);      // (rows, C): e^x / (sum over channels of e^x), per row
Tensor log_softmax(const Tensor& x);  // (rows, C): x - log(sum over channels of e^x), per row
// The mean over rows of -sum_c t_c log_softmax(logits)_c, t = (1 - smoothing) onehot(label) + smoothing / C
// (smoothing: Szegedy et al. 2016, section 7). logits (rows, C). Error unless there is a row and a class, each row has
// a label from 0 to C - 1, and smoothing is from 0 to 1.
Tensor cross_entropy(const Tensor& logits, const Labels& labels, real smoothing = 0);
Tensor cross_entropy_definition(const Tensor& logits, const Labels& labels, real smoothing = 0);
// The mean of (x - target)^2 over all elements. Error if the shapes differ or have no elements.
Tensor mean_squared_error(const Tensor& x, const Tensor& target);
// The number of rows whose largest logit is the label's; the first of equal logits counts, and NaN is never right.
int64_t count_correct(const Tensor& logits, const Labels& labels);

}  // namespace evenkeel
