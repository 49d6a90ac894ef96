#!/bin/sh
# Unpacks a libvirt below a folder of its own; nothing is installed.
#
#   tools/libvirt_root.sh DIR                 this Debian release's
#   tools/libvirt_root.sh DIR SUITE...        that of the last of the suites, with what it needs of all of
#                                             them: trixie trixie-backports
#
# DIR/usr/sbin/libvirtd is the daemon. This release's needs the libraries that lie beside it, and has
# libvirt-python for the release's own Python in DIR/usr/lib/python3; another release's is started by
# DIR/starters/libvirtd, with its own C library. tests/support/libvirtd.py starts either where it touches
# nothing of this machine.
set -eu
. "$(dirname "$0")/apt.sh"
. "$(dirname "$0")/own_apt.sh"

[ $# -ge 1 ] || fail "usage: tools/libvirt_root.sh DIR [SUITE...]"
command -v apt-get >/dev/null 2>&1 || fail "libvirt: needs Debian's apt-get and dpkg"
mkdir -p "$1"
root=$(cd "$1" && pwd)
shift

if [ $# -gt 0 ]; then
    own_apt "$root" "$@"
    for each in "$@"; do suite=$each; done
    own_unpack "$root" -t "$suite" libvirt-daemon libvirt-daemon-driver-qemu
    own_loader "$root"
    mkdir "$root/starters"
    cat >"$root/starters/libvirtd" <<END
#!/bin/sh
LIBVIRT_DRIVER_DIR='$root/usr/lib/x86_64-linux-gnu/libvirt/connection-driver' \\
    exec '$loader' --library-path '$libraries' '$root/usr/sbin/libvirtd' "\$@"
END
    chmod +x "$root/starters/libvirtd"
    "$root/starters/libvirtd" --version || fail "the libvirt of $suite does not run"
    exit
fi

cd "$root"
packages="libvirt-daemon libvirt-daemon-driver-qemu libvirt-daemon-system libvirt0 python3-libvirt libyajl2
    libssh-4 libssh2-1 libpcap0.8 libparted2 libxml2 libnl-route-3-200"
# shellcheck disable=SC2086 # a list of packages
apt-get download -q $packages >/dev/null 2>&1 ||
    { apt-get update -qq && apt-get download -q $packages >/dev/null; } || fail "cannot download libvirt"
for each in ./*.deb; do
    dpkg-deb -x "$each" .
    rm "$each"
done
