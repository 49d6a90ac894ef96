#!/bin/sh
# Unpacks the virtual machines' kernel of another Debian release below a folder of its own; nothing is installed.
#
#   tools/linux_kernel.sh SUITE DIR
#
# DIR/boot/vmlinuz* is the kernel, DIR/lib/modules has what a KVM needs of its modules.
set -eu
. "$(dirname "$0")/apt.sh"
. "$(dirname "$0")/own_apt.sh"

[ $# = 2 ] || fail "usage: tools/linux_kernel.sh SUITE DIR (for example: sid /tmp/linux)"
mkdir -p "$2"
root=$(cd "$2" && pwd)
own_apt "$root" "$1"
# One package, or several: newer releases have the modules apart.
packages=$(own install -s linux-image-cloud-amd64 | sed -n 's/^Inst \(linux-\(image\|binary\|modules\)-[0-9][^ ]*\) .*/\1/p')
[ -n "$packages" ] || fail "a newer kernel: the archive has no linux-image-cloud-amd64 in $1"
cd "$root"
# shellcheck disable=SC2086 # a list of words
own download $packages >>"$apt/log" 2>&1 || fail "cannot download $packages"
rm -rf whole
for each in ./*.deb; do
    dpkg-deb -x "$each" whole
    rm "$each"
done
mkdir -p boot lib/modules
find whole -name 'vmlinuz*' -type f -exec mv {} boot/vmlinuz \;
for each in 'kvm*' irqbypass; do
    find whole -name "$each.ko*" -exec mv {} lib/modules \;
done
rm -rf whole
