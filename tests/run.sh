#!/usr/bin/env bash
# Installs missing packages, builds, and runs every test.
#     bash tests/run.sh [--asan | --tsan | --valgrind | --fuzz [SECONDS] | --coverage] [option of cmake's ...]
# --asan: built by clang with its address and undefined-behaviour sanitisers, without the slow tests. --tsan: the same by g++ with
# its thread sanitiser.
# --valgrind: only the tests of core, under valgrind. --fuzz: only the fuzz targets, 60 seconds each, by clang's libFuzzer.
# --coverage: reports the lines of the library that the tests reach.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../apps/setup.sh"

preset=release clang="clang libclang-rt-dev"  # the latter has the sanitisers and libFuzzer
case "${1:-}" in
  --asan) preset=asan targets=quick_tests; shift; install_missing $clang ;;
  --tsan) preset=tsan targets=quick_tests; shift ;;
  --fuzz)
    shift
    seconds=60
    [[ "${1:-}" =~ ^[0-9]+$ ]] && { seconds=$1; shift; }
    install_missing $clang
    cd "$root" && run cmake --preset fuzz "$@" && run cmake --build --preset fuzz
    for corpus in tests/fuzz/corpus/*; do
      target=${corpus##*/}
      mkdir -p "build/fuzz/corpus/$target"  # what it finds goes there, not into the source tree
      run "build/fuzz/tests/fuzz_$target" -max_total_time="$seconds" -max_len=4096 -rss_limit_mb=2048 -timeout=10 -print_final_stats=1 \
        -verbosity=0 -artifact_prefix="build/fuzz/$target-" "build/fuzz/corpus/$target" "$corpus"
    done
    exit ;;
  --valgrind)
    shift
    install_missing valgrind
    cd "$root" && run cmake --preset valgrind "$@" && run cmake --build --preset valgrind
    for scalar in float double; do
      run valgrind --quiet --error-exitcode=9 --leak-check=full --errors-for-leak-kinds=definite "build/valgrind/tests/test_$scalar" --source-file="*tests/core/*"
    done
    exit ;;
  --coverage)
    shift
    install_missing
    cd "$root" && run cmake --preset coverage "$@" && run cmake --build --preset coverage
    find build/coverage -name '*.gcda' -delete
    for scalar in float double; do run "build/coverage/tests/test_$scalar" --minimal; done
    exec python3 tests/coverage.py build/coverage ;;
  -h | --help) sed -n '2,7s/^# *//p' "${BASH_SOURCE[0]}"; exit ;;
esac
install_missing
build "$preset" -DEVENKEEL_TESTS=ON "$@"
cd "$root" && run ctest --preset "$preset" --parallel "$(getconf _NPROCESSORS_ONLN)"
