#include "core/base/moments.h"

#include <doctest/doctest.h>

using namespace evenkeel;

TEST_CASE("moments: merged parts are the whole, and parts without rows change nothing") {
  const auto part = [](double count, double mean, double squares) {
    Moments m(1);
    m.count = count, m.mean[0] = mean, m.squares[0] = squares;
    return m;
  };
  // Of 1 and 2, of none, of 6 and 7.
  const Moments some = part(2, 1.5, 0.5), none = part(0, 0, 0), others = part(2, 6.5, 0.5);
  const Moments all = merged({none, none, some, none, others});
  CHECK(all.count == 4);
  CHECK(all.mean[0] == doctest::Approx(4));
  CHECK(all.squares[0] == doctest::Approx(9 + 4 + 4 + 9));
  const Moments still = merged({none, none});
  CHECK(still.count == 0);
  CHECK(still.mean[0] == 0);
  CHECK(still.squares[0] == 0);
}
