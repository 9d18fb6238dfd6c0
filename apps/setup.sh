# Set-up shared by quickstart.sh and tests/run.sh; sourced, not run. Installs what is missing, configures, builds.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

run() {  # shows a command, then runs it
  printf '+ %s\n' "$*" >&2
  "$@"
}

# Installs missing packages by the system's package manager. The arguments are additional Debian packages.
install_missing() {
  local manager packages installed install sudo="" missing=() package
  for manager in apt-get dnf pacman brew ""; do command -v "$manager" >/dev/null && break; done
  case "$manager" in
    apt-get)
      packages="g++ cmake make libopenblas-dev libfmt-dev zlib1g-dev libpng-dev libjpeg-dev nlohmann-json3-dev libcli11-dev doctest-dev $*"
      installed() { dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep -q 'ok installed'; }
      install="apt-get install -y --no-install-recommends" ;;
    dnf)
      packages="gcc-c++ cmake make openblas-devel fmt-devel zlib-devel libpng-devel libjpeg-turbo-devel json-devel cli11-devel doctest-devel"
      installed() { rpm -q --whatprovides "$1" >/dev/null; }
      install="dnf install -y" ;;
    pacman)
      packages="gcc cmake make openblas fmt zlib libpng libjpeg-turbo nlohmann-json cli11 doctest"
      installed() { pacman -T "$1" >/dev/null; }
      install="pacman -S --noconfirm --needed" ;;
    brew)
      packages="cmake openblas fmt libpng jpeg-turbo nlohmann-json cli11 doctest"
      installed() { brew list --versions "$1" >/dev/null; }
      install="brew install" ;;
    *)
      echo "No package manager that this script knows (apt-get, dnf, pacman, brew). Needed: a C++20 compiler, cmake," \
        "OpenBLAS, fmt, zlib, libpng, libjpeg-turbo, nlohmann-json, CLI11, doctest." >&2
      return ;;
  esac
  for package in $packages; do installed "$package" || missing+=("$package"); done
  [ ${#missing[@]} -eq 0 ] && return
  [ "$manager" = brew ] || [ "$(id -u)" -eq 0 ] || sudo=sudo
  [ "$manager" = apt-get ] && run $sudo apt-get update
  [ "$manager" = apt-get ] || echo "This list of packages is untried with $manager." >&2
  run $sudo $install "${missing[@]}"
}

# [targets="NAME ..."] build PRESET [option of cmake's ...]: configures and builds into build/PRESET, all or the targets. OpenBLAS
# and libjpeg-turbo stand apart with Homebrew.
build() {
  local preset=$1
  shift
  [ "$(uname)" = Darwin ] && export CMAKE_PREFIX_PATH="$(brew --prefix openblas):$(brew --prefix jpeg-turbo):${CMAKE_PREFIX_PATH:-}"
  (cd "$root" && run cmake --preset "$preset" "$@" && run cmake --build "build/$preset" --parallel "$(getconf _NPROCESSORS_ONLN)" ${targets:+--target $targets})
}
