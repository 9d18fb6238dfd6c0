// A layer of one's own, checked outside the tree, in double.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <evenkeel/tests/check_layer.h>

#include "twice.h"

TEST_CASE("twice") { evenkeel::check_layer(Twice(), evenkeel::Shape{3, 4}); }
