#!/bin/sh
# Unpacks this Debian release's libvirt below a folder of its own; nothing is installed.
#
#   tools/libvirt_root.sh DIR
#
# DIR/usr/sbin/libvirtd is the daemon, with the libraries that it needs beside it, and DIR/usr/lib/python3
# has libvirt-python for the release's own Python. tests/support/libvirtd.py starts it where it touches
# nothing of this machine.
set -eu
. "$(dirname "$0")/apt.sh"

[ $# = 1 ] || fail "usage: tools/libvirt_root.sh DIR"
command -v apt-get >/dev/null 2>&1 || fail "libvirt: needs Debian's apt-get and dpkg"
mkdir -p "$1"
cd "$1"
packages="libvirt-daemon libvirt-daemon-driver-qemu libvirt-daemon-system libvirt0 python3-libvirt libyajl2
    libssh-4 libssh2-1 libpcap0.8 libparted2 libxml2 libnl-route-3-200"
# shellcheck disable=SC2086 # a list of packages
apt-get download -q $packages >/dev/null 2>&1 ||
    { apt-get update -qq && apt-get download -q $packages >/dev/null; } || fail "cannot download libvirt"
for each in ./*.deb; do
    dpkg-deb -x "$each" .
    rm "$each"
done
