#!/usr/bin/env bash
# Builds everything with each compiler, warnings as errors, runs the library's tests, trains, resumes (the bytes must be those of a
# run in one piece) and evaluates. One row of a table for each:
#     bash apps/packaging/matrix.sh [COMPILER ...]        without one: those of g++-12, g++-14, clang++-14, clang++-19 that are here
# COMPILER+libc++ is a clang with LLVM's standard library. aarch64-linux-gnu-g++ compiles for arm64 with the system's arm64 packages,
# and qemu-user runs the tests.
# Builds into build/matrix/COMPILER; ends with 1 where one fails.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
[ $# -gt 0 ] || set -- $(command -v g++-12 g++-14 clang++-14 clang++-19)
failed=0
trains() {
  local run=(train --data synthetic --samples 256 --model "conv:8:3:stride=2 norm act flatten dense:classes" --schedule constant --seed 1 --overwrite)
  $emulator "$to/evenkeel" "${run[@]}" --epochs 2 --out "$to/whole" &&
    $emulator "$to/evenkeel" "${run[@]}" --epochs 1 --out "$to/parts" &&
    $emulator "$to/evenkeel" train --resume "$to/parts" --epochs 2 &&
    cmp "$to/whole/last.safetensors" "$to/parts/last.safetensors" &&
    $emulator "$to/evenkeel" eval "$to/whole"
}
printf '| %-38s | %-20s | %-8s | %-8s |\n' compiler system builds tests
printf '|---|---|---|---|\n'
for row in "$@"; do
  compiler=${row%+libc++} to=build/matrix/$(basename "$row") builds=failed tests=- options=() emulator= float=()
  [ "$row" = "$compiler" ] || options=(-DCMAKE_CXX_FLAGS="-stdlib=libc++ -DFMT_HEADER_ONLY")  # the system's fmt needs libstdc++
  case $(basename "$compiler") in
    aarch64-*)
      options=(-DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR=aarch64 -DEVENKEEL_NATIVE=OFF)
      emulator=qemu-aarch64
      float=(--source-file-exclude='*soak_test.cpp') ;;  # it measures memory, and qemu keeps 39 KB of every thread that has ended
  esac
  mkdir -p "$to"
  if cmake --preset release -B "$to" -DCMAKE_CXX_COMPILER="$compiler" -DEVENKEEL_WERROR=ON "${options[@]}" >"$to/log" 2>&1 &&
    cmake --build "$to" --parallel "$(getconf _NPROCESSORS_ONLN)" >>"$to/log" 2>&1; then
    builds=yes tests=failed
    { $emulator "$to/tests/test_float" --minimal "${float[@]}" && $emulator "$to/tests/test_double" --minimal && trains; } >>"$to/log" 2>&1 && tests=pass
  fi
  [ "$tests" = pass ] || failed=1
  printf '| %-38s | %-20s | %-8s | %-8s |\n' "$("$compiler" --version | head -1 | cut -c1-30)${row#"$compiler"}" \
    "$(. /etc/os-release && echo "$ID $VERSION_ID")" "$builds" "$tests"
done
exit $failed
