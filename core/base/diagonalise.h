// The eigenvalues and eigenvectors of a small symmetric matrix.
#pragma once
#include <cstddef>
#include <vector>

namespace evenkeel {

// a (n x n) is symmetric. Leaves its eigenvalues on its diagonal, and returns the eigenvectors: row i is that of
// a[i][i], of length 1. Jacobi's method (Golub and Van Loan 2013, section 8.5).
std::vector<double> diagonalise(std::vector<double>& a, size_t n);

}  // namespace evenkeel
