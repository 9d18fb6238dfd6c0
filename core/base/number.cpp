#include "core/base/number.h"

#include <locale.h>
#include <stdlib.h>
#ifdef __APPLE__
#include <xlocale.h>
#endif

#include <cerrno>
#include <cmath>
#include <string>

namespace evenkeel {

template <class Real>
std::from_chars_result read_by_strtod(const char* begin, const char* end, Real& value) {
  static const locale_t c = newlocale(LC_ALL_MASK, "C", nullptr);
  const std::string text(begin, end);  // ends with a 0, which strtod needs
  const size_t first = text.starts_with('-') ? 1 : 0;
  // strtod also accepts spaces and a plus sign before the number, and hexadecimal digits.
  if (first == text.size() || std::string_view("0123456789.iInN").find(text[first]) == std::string_view::npos)
    return {begin, std::errc::invalid_argument};
  if (text.size() > first + 1 && text[first] == '0' && (text[first + 1] == 'x' || text[first + 1] == 'X')) {
    value = first ? Real(-0.0) : Real(0);
    return {begin + first + 1, std::errc()};
  }
  errno = 0;
  char* stop = nullptr;
  const Real read = std::is_same_v<Real, float> ? static_cast<Real>(strtof_l(text.c_str(), &stop, c))
                                                : static_cast<Real>(strtod_l(text.c_str(), &stop, c));
  if (stop == text.c_str()) return {begin, std::errc::invalid_argument};
  const char* const rest = begin + (stop - text.c_str());
  if (errno == ERANGE && (read == 0 || std::isinf(read))) return {rest, std::errc::result_out_of_range};
  value = read;
  return {rest, std::errc()};
}
template std::from_chars_result read_by_strtod(const char*, const char*, float&);
template std::from_chars_result read_by_strtod(const char*, const char*, double&);

}  // namespace evenkeel
