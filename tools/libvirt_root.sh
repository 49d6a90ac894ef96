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
mkdir -p "$1"
root=$(cd "$1" && pwd)
shift

if [ $# -gt 0 ]; then
    own_apt "$root" "$@"
    for each in "$@"; do suite=$each; done
    own_unpack "$root" -t "$suite" libvirt-daemon libvirt-daemon-driver-qemu \
        libvirt-daemon-driver-storage
    own_loader "$root"
    mkdir "$root/starters"
    cat >"$root/starters/libvirtd" <<END
#!/bin/sh
LIBVIRT_DRIVER_DIR='$root/usr/lib/x86_64-linux-gnu/libvirt/connection-driver' \\
LIBVIRT_STORAGE_BACKEND_DIR='$root/usr/lib/x86_64-linux-gnu/libvirt/storage-backend' \\
    exec '$loader' --library-path '$libraries' '$root/usr/sbin/libvirtd' "\$@"
END
    chmod +x "$root/starters/libvirtd"
    "$root/starters/libvirtd" --version || fail "the libvirt of $suite does not run"
    exit
fi

cd "$root"
apt_unpack libvirt libvirt-daemon libvirt-daemon-driver-qemu libvirt-daemon-system libvirt0 python3-libvirt libyajl2 \
    libssh-4 libssh2-1 libpcap0.8 libparted2 libxml2 libnl-route-3-200
