#!/bin/sh
# Unpacks what a Linux guest of the tests is made from, below a folder of its own; nothing is installed.
#
#   tools/linux_guest.sh DIR
#
# DIR/boot/vmlinuz* is Debian's kernel for virtual machines, DIR/lib/modules its modules, DIR/usr/bin/busybox
# (static) all of user space, DIR/boot/memtest86+*.bin a memory test that boots as a kernel does, and DIR/usr/bin/qemu-ga the guest agent with its libraries beside it.
set -eu
. "$(dirname "$0")/apt.sh"

[ $# = 1 ] || fail "usage: tools/linux_guest.sh DIR"
command -v apt-get >/dev/null 2>&1 || fail "a Linux guest: needs Debian's apt-get and dpkg"
mkdir -p "$1"
root=$(cd "$1" && pwd)
cd "$root"
[ -n "$(apt-cache search --names-only '^linux-image-cloud-amd64$')" ] || apt-get update -qq
kernel=$(apt-cache depends linux-image-cloud-amd64 | sed -n 's/.*Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1)
[ -n "$kernel" ] || fail "a Linux guest: apt knows no linux-image-cloud-amd64"
agent=$(apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces \
    --no-enhances qemu-guest-agent | grep '^[a-z0-9]' | grep '^lib\|^qemu-guest-agent')
# shellcheck disable=SC2086 # a list of packages
apt_unpack "a Linux guest" "$kernel" busybox-static memtest86+ $agent
