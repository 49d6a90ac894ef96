#!/bin/sh
# Unpacks the three releases of QEMU that findings are about, below one folder: DIR/bookworm, DIR/trixie, DIR/forky.
#
#   tools/three_qemus.sh DIR
set -eu
here=$(cd "$(dirname "$0")" && pwd)
for suite in bookworm trixie forky; do
    "$here/qemu_root.sh" "$suite" "$1/$suite" x86
done
