// Translates a formula in program notation, such as (x - mu) / sqrt(sigma^2 + eps), to MathML.
#pragma once
#include <string>

namespace evenkeel::lab {

// Greek letters by name, sqrt(...), a / b as a fraction without the parentheses that it makes needless, x_i and x^2 as
// sub- and superscripts, f' with its prime, |x| as a fence, 1e-5 as a power of ten; other names of several letters are
// upright. Anything else stays as text.
std::string mathml(const std::string& formula);

}  // namespace evenkeel::lab
