// Typesets formulas in program notation: sigma^2 / (sigma^2 + eps), 1.5e-16, +- 2.
#pragma once
#include <string>

namespace evenkeel::lab {

// Greek letters, roots, exponents and powers of ten as characters; everything else stays.
std::string symbols(const std::string& text);

// The same for a page: escaped, with subscripts (W_k, m_test) and `code` as such, and $a formula$ and powers of ten as
// MathML.
std::string html(const std::string& text);

// A text with formulas for the terminal: without the $.
std::string plain(const std::string& text);

}  // namespace evenkeel::lab
