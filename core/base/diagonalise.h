// The eigenvalues and eigenvectors of a small symmetric matrix.
#pragma once
#include <cstddef>
#include <vector>

namespace evenkeel {

// a (n x n) is symmetric. Its diagonal becomes the eigenvalues. Returns the eigenvectors: row i, of length 1, belongs
// to the eigenvalue a[i][i]. Jacobi's method (Golub and Van Loan 2013, section 8.5).
std::vector<double> diagonalise(std::vector<double>& a, size_t n);

}  // namespace evenkeel
