#include "core/base/check.h"

namespace evenkeel {

void fail_with(Fault fault, fmt::string_view format, fmt::format_args args) {
  throw Error(fault, fmt::vformat(format, args));
}

}  // namespace evenkeel
