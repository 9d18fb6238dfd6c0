#include "core/base/number.h"

#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <string>

#include "core/base/random.h"

using namespace evenkeel;

#ifdef __cpp_lib_to_chars
namespace {

// Both ways read the same value, stop at the same place and make the same error.
template <class Real>
void compare(const std::string& text) {
  CAPTURE(text);
  Real expected = 7, got = 7;
  const char *begin = text.data(), *end = begin + text.size();
  const auto right = std::from_chars(begin, end, expected), other = read_by_strtod(begin, end, got);
  CHECK(other.ptr - begin == right.ptr - begin);
  CHECK((other.ec == right.ec));
  CHECK((std::isnan(expected) ? std::isnan(got) : got == expected && std::signbit(got) == std::signbit(expected)));
}

}  // namespace

TEST_CASE_TEMPLATE("numbers: strtod reads what from_chars reads", Real, float, double) {
  for (const char* text : {"0",        "-0",
                           "1.5",      "-1.5e3",
                           ".5",       "5.",
                           "1e400",    "-1e400",
                           "1e-400",   "1e-310",
                           "1e-45",    "4e-324",
                           "inf",      "-inf",
                           "infinity", "nan",
                           "NaN",      "",
                           "-",        "+1",
                           " 1",       "\t1",
                           "e5",       ".",
                           "-.",       "1e",
                           "1e+",      "1e5x",
                           "0x10",     "-0x10",
                           "0X1p3",    "1,5",
                           "1 ",       "--1",
                           "abc",      "i",
                           "n",        "340282356779733661637539395458142568448"})
    compare<Real>(text);
  Random random(5);
  for (int i = 0; i < 2000; ++i) {
    const uint64_t bits = random.below(std::numeric_limits<uint64_t>::max());
    const double value = std::bit_cast<double>(bits);
    for (const int digits : {3, 9, 17}) {
      char text[64];
      const int size = std::snprintf(text, sizeof text, "%.*g", digits, value);
      if (!std::isnan(value)) compare<Real>(std::string(text, static_cast<size_t>(size)));
    }
  }
}
#endif

TEST_CASE("numbers: the whole text must be one") {
  double value = 0;
  int64_t whole = 0;
  CHECK(parse_number("2.5", value));
  CHECK(value == 2.5);
  CHECK(parse_number("-12", whole));
  CHECK(whole == -12);
  for (const char* text : {"", "2.5 ", " 2.5", "2,5", "2.5x", "+2"}) CHECK(!parse_number(text, value));
  for (const char* text : {"", "2.5", "1e3", "9223372036854775808"}) CHECK(!parse_number(text, whole));
}
