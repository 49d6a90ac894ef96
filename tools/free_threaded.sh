#!/bin/sh
# Builds a CPython without its global lock below a folder of its own, from a Debian release's source package;
# nothing is installed. It takes a quarter of an hour of both cores, once.
#
#   tools/free_threaded.sh DIR [SUITE]     SUITE: trixie, where none is given; it has to have python3.13
#
# DIR/bin/python3.13t is the interpreter, without pip (another Python's has --python). apt checks the source's signature and its hashes.
set -eu
. "$(dirname "$0")/apt.sh"
. "$(dirname "$0")/own_apt.sh"

[ $# -ge 1 ] || fail "usage: tools/free_threaded.sh DIR [SUITE]"
suite=${2:-trixie}
mkdir -p "$1"
root=$(cd "$1" && pwd)
[ ! -x "$root/bin/python3.13t" ] || exit 0

have_programs "builds CPython" "gcc libc6-dev libffi-dev zlib1g-dev libssl-dev make dpkg-dev" gcc make dpkg-source
own_apt "$root" "$suite"
own_source "$root/source" python3.13
cd "$root"/source/python3.13-*/
./configure -q --prefix="$root" --disable-gil --without-ensurepip --disable-test-modules >"$root/.apt/configure" 2>&1 ||
    { tail -n 5 "$root/.apt/configure" >&2 && fail "CPython's configure fails"; }
nice -n 19 make -s -j "$(nproc)" >"$root/.apt/build" 2>&1 && make -s install >>"$root/.apt/build" 2>&1 ||
    { tail -n 5 "$root/.apt/build" >&2 && fail "CPython cannot be built"; }
rm -rf "$root/source"
"$root/bin/python3.13t" -c 'import sys, ssl, ctypes, zlib; sys.exit(sys._is_gil_enabled())' ||
    fail "what was built has the lock, or lacks a module"
