#include "tests/property.h"

using namespace evenkeel::property;

TEST_CASE("every op equals its naive definition over random shapes") { check_random_shapes(); }
TEST_CASE("every op, on axes of 0, 1 and 2, gives what its definition says or a reason why not") { check_small_axes(); }
