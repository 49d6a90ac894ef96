#!/bin/sh
# Unpacks the two releases of libvirt that the findings are about, below one folder: DIR/9.0 and DIR/12.9.
#
#   tools/two_libvirts.sh DIR
set -eu
here=$(cd "$(dirname "$0")" && pwd)
"$here/libvirt_root.sh" "$1/9.0"
"$here/libvirt_root.sh" "$1/12.9" trixie trixie-backports
