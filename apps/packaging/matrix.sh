#!/usr/bin/env bash
# Builds everything with each compiler, warnings as errors, and runs the library's tests. One row of a table for each:
#     bash apps/packaging/matrix.sh [COMPILER ...]        without one: those of g++-12, g++-14, clang++-14, clang++-19 that are here
# COMPILER+libc++ is a clang with LLVM's standard library. aarch64-linux-gnu-g++ compiles for arm64 with the system's arm64 packages,
# and qemu-user runs the tests.
# Builds into build/matrix/COMPILER; ends with 1 where one fails.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
[ $# -gt 0 ] || set -- $(command -v g++-12 g++-14 clang++-14 clang++-19)
failed=0
printf '| %-38s | %-20s | %-8s | %-8s |\n' compiler system builds tests
printf '|---|---|---|---|\n'
for row in "$@"; do
  compiler=${row%+libc++} to=build/matrix/$(basename "$row") builds=failed tests=- options=() emulator=
  [ "$row" = "$compiler" ] || options=(-DCMAKE_CXX_FLAGS="-stdlib=libc++ -DFMT_HEADER_ONLY")  # the system's fmt needs libstdc++
  case $(basename "$compiler") in
    aarch64-*)
      options=(-DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR=aarch64 -DEVENKEEL_NATIVE=OFF)
      emulator=qemu-aarch64 ;;
  esac
  mkdir -p "$to"
  if cmake --preset release -B "$to" -DCMAKE_CXX_COMPILER="$compiler" -DEVENKEEL_WERROR=ON "${options[@]}" >"$to/log" 2>&1 &&
    cmake --build "$to" --parallel "$(getconf _NPROCESSORS_ONLN)" >>"$to/log" 2>&1; then
    builds=yes tests=failed
    $emulator "$to/tests/test_float" --minimal >>"$to/log" 2>&1 && $emulator "$to/tests/test_double" --minimal >>"$to/log" 2>&1 && tests=pass
  fi
  [ "$tests" = pass ] || failed=1
  printf '| %-38s | %-20s | %-8s | %-8s |\n' "$("$compiler" --version | head -1 | cut -c1-30)${row#"$compiler"}" \
    "$(. /etc/os-release && echo "$ID $VERSION_ID")" "$builds" "$tests"
done
exit $failed
