#!/usr/bin/env bash
# Installs missing packages, builds, and trains a convolutional network with sigmoids, as in the batch-norm paper, without
# and with batch normalisation: on Fashion-MNIST, or on drawn shapes if that data set cannot be installed.
# The results go to runs/quickstart.
#     bash apps/quickstart.sh
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

install_missing
install_missing dataset-fashion-mnist || echo "Fashion-MNIST cannot be installed: drawn shapes instead" >&2
targets=evenkeel_main build release

evenkeel="$root/build/release/evenkeel" out="$root/runs/quickstart" data="fashion-mnist --samples 20000"
"$evenkeel" data list | grep -q '^fashion-mnist .*not here' && data=synthetic
mkdir -p "$out"
declare -A last
for norm in none batch; do
  echo
  run "$evenkeel" train --data $data --model lenet --activation sigmoid --norm $norm --epochs 2 --overwrite --out "$out/$norm" | tee "$out.$norm.txt"
  last[$norm]=$(tail -n 1 "$out.$norm.txt")
  rm "$out.$norm.txt"
done
echo
run "$evenkeel" plot "$out/none" "$out/batch" --label "no normalisation" --label "batch normalisation" --test --out "$out/curves.svg"
echo
echo "without normalisation:    ${last[none]}"
echo "with batch normalisation: ${last[batch]}"
echo "both curves:              ${out#"$PWD/"}/curves.svg"
