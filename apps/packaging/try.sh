#!/usr/bin/env bash
# Installs the three Debian packages in a bare Debian 13 root, trains, shows which level of the library each processor gets, builds
# the project in tests/install with them and removes them again:
#     sudo bash apps/packaging/try.sh build/package/*.deb
# Needs debootstrap and Debian's archive; works in a temporary folder. Ends with 1 where something fails.
set -euo pipefail
[ $# -gt 0 ] && [ "$(id -u)" = 0 ] || { echo "usage: sudo bash apps/packaging/try.sh PACKAGE.deb ..." >&2; exit 2; }
tests=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../tests" && pwd)
root=$(mktemp -d)
trap 'umount "$root/proc" 2>/dev/null; rm -rf --one-file-system "$root"' EXIT
debootstrap --variant=minbase trixie "$root" >"$root.log" 2>&1 || { tail "$root.log"; exit 1; }
rm "$root.log"
cp /etc/resolv.conf "$root/etc/"
mount -t proc proc "$root/proc"
mkdir "$root/packages"
cp "$@" "$root/packages/"
cp -r "$tests/install" "$root/consumer"
chroot "$root" bash -euo pipefail -s <<'INSIDE'
export DEBIAN_FRONTEND=noninteractive LC_ALL=C
add() { apt-get install -y -q --no-install-recommends "$@" >/log 2>&1 || { tail /log; exit 1; }; }
add /packages/libevenkeel1_*.deb /packages/evenkeel_*.deb
evenkeel train --data synthetic --samples 2000 --model lenet --epochs 1 --out /run/first
evenkeel lab list >/dev/null
test -e /usr/share/man/man1/evenkeel.1.gz -a -e /usr/share/bash-completion/completions/evenkeel
loaded() { LD_DEBUG=libs "$@" 2>&1 >/dev/null | sed -n 's/.*calling init: \(.*libevenkeel.*\)/\1/p'; }
for mask in "" x86-64-v2 x86-64-v3 x86-64-v4; do
  library=$(loaded /lib64/ld-linux-x86-64.so.2 --glibc-hwcaps-mask "$mask" /usr/bin/evenkeel --version)
  printf 'a processor of level %-20s loads %s\n' "${mask:-below x86-64-v2}" "$library"
done
add g++ cmake make doctest-dev /packages/libevenkeel-dev_*.deb
cmake -S /consumer -B /consumer/build -DCMAKE_BUILD_TYPE=Release >/log && cmake --build /consumer/build --parallel 2 >>/log || { tail /log; exit 1; }
/consumer/build/checks --minimal
/consumer/build/outside
apt-get purge -y -q evenkeel libevenkeel1 libevenkeel-dev >/log 2>&1
if find /usr -name '*evenkeel*' | grep .; then exit 1; fi
echo "installed, trained, linked, removed"
INSIDE
