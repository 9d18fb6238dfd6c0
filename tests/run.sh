#!/usr/bin/env bash
# Installs what is missing, builds, and runs every test.
#     bash tests/run.sh [--asan | --tsan] [option of cmake's ...]
# --asan: with the address and undefined-behaviour sanitisers, without the slow tests. --tsan: the same with the thread sanitiser.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../apps/setup.sh"

preset=release
case "${1:-}" in
  --asan | --tsan) preset=${1#--}; shift ;;
  -h | --help) sed -n '2,4s/^# *//p' "${BASH_SOURCE[0]}"; exit ;;
esac
install_missing
build "$preset" "$@"
cd "$root" && run ctest --preset "$preset"
