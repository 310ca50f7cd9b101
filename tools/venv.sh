#!/bin/sh
# Make .venv with the Python $1. Debian's Python lacks the venv package: as root it is installed, otherwise the script
# fails and names it.
set -eu
python=${1:-}
fail() { echo "$1" >&2; exit 1; }

[ -n "$python" ] || fail "Python 3.11 or newer is needed: install it, or name it with make PYTHON=..."
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || fail "$python is older than Python 3.11"

make_venv() { rm -rf .venv && "$python" -m venv .venv >/dev/null 2>&1; }

make_venv && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  echo "installing python3-venv, which $python lacks" >&2
  apt-get update -q >/dev/null && DEBIAN_FRONTEND=noninteractive apt-get install -q -y python3-venv >/dev/null
  make_venv && exit 0
fi
rm -rf .venv
fail "$python cannot make virtual environments: on Debian, apt install python3-venv"
