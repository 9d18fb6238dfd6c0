#!/usr/bin/env bash
# Builds everything with each compiler, warnings as errors, and runs the library's tests. One row of a table for each:
#     bash apps/packaging/matrix.sh [COMPILER ...]        without one: those of g++-12, g++-14, clang++-14, clang++-19 that are here
# Builds into build/matrix/COMPILER; ends with 1 where one fails.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
[ $# -gt 0 ] || set -- $(command -v g++-12 g++-14 clang++-14 clang++-19)
failed=0
printf '| %-30s | %-20s | %-8s | %-8s |\n' compiler system builds tests
printf '|---|---|---|---|\n'
for compiler in "$@"; do
  to=build/matrix/$(basename "$compiler") builds=failed tests=-
  mkdir -p "$to"
  if cmake --preset release -B "$to" -DCMAKE_CXX_COMPILER="$compiler" -DEVENKEEL_WERROR=ON >"$to/log" 2>&1 &&
    cmake --build "$to" --parallel "$(getconf _NPROCESSORS_ONLN)" >>"$to/log" 2>&1; then
    builds=yes tests=failed
    "$to/tests/test_float" --minimal >>"$to/log" 2>&1 && "$to/tests/test_double" --minimal >>"$to/log" 2>&1 && tests=pass
  fi
  [ "$tests" = pass ] || failed=1
  printf '| %-30s | %-20s | %-8s | %-8s |\n' "$("$compiler" --version | head -1 | cut -c1-30)" \
    "$(. /etc/os-release && echo "$ID $VERSION_ID")" "$builds" "$tests"
done
exit $failed
