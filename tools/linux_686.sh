#!/bin/sh
# Unpacks a 32-bit Linux guest for the tests below a folder of its own; nothing is installed.
#
#   tools/linux_686.sh DIR
#
# DIR/boot/vmlinuz* is Debian 12's kernel for the i686, the last release that has one, and DIR/bin/busybox
# (static) all of its user space.
set -eu
. "$(dirname "$0")/apt.sh"
. "$(dirname "$0")/own_apt.sh"

[ $# = 1 ] || fail "usage: tools/linux_686.sh DIR"
mkdir -p "$1"
root=$(cd "$1" && pwd)
architecture=i386
own_apt "$root" bookworm
kernel=$(own install -s linux-image-686 | sed -n 's/^Inst \(linux-image-[0-9][^ ]*\) .*/\1/p' | head -n 1)
[ -n "$kernel" ] || fail "a 32-bit Linux guest: the archive has no linux-image-686"
cd "$root"
own download "$kernel" busybox-static >>"$apt/log" 2>&1 || fail "cannot download $kernel"
for each in ./*.deb; do
    dpkg-deb -x "$each" .
    rm "$each"
done
rm -rf lib/modules usr/share # what is started has no modules
