#include "tests/norm_golden.h"

TEST_CASE("norms and losses equal PyTorch's to 1e-5") { evenkeel::check_norm_golden(1e-5); }
TEST_CASE("twenty steps of SGD equal PyTorch's to 1e-5") { evenkeel::check_sgd_golden(1e-5); }
