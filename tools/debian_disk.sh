#!/bin/sh
# Makes a disk that a PC's Linux boots from: Debian 12, as debootstrap installs it, on one ext4 file system
# without partitions, with a login at the first serial port. As root alone: debootstrap changes root.
#
#   tools/debian_disk.sh DIR
#
# DIR/disk is the disk; DIR/vmlinuz and DIR/initrd are linux-image-amd64's, and are on the disk as well.
set -eu
. "$(dirname "$0")/apt.sh"

[ $# = 1 ] || fail "usage: tools/debian_disk.sh DIR"
[ "$(id -u)" = 0 ] || fail "a Debian on a disk: debootstrap needs root"
have_programs "a Debian on a disk" "debootstrap e2fsprogs" debootstrap mke2fs
mkdir -p "$1"
place=$(cd "$1" && pwd)
root=$place/root
trap 'rm -rf "$root"' EXIT
debootstrap --variant=minbase --include=linux-image-amd64,initramfs-tools,sysvinit-core,zstd \
    bookworm "$root" "$(debian_archive)" >"$place/log" 2>&1 ||
    { tail -n 5 "$place/log" >&2 && fail "a Debian on a disk: debootstrap fails"; }
echo debian >"$root/etc/hostname"
echo "/dev/sda / ext4 defaults 0 1" >"$root/etc/fstab"
cat >"$root/etc/inittab" <<'EOF'
id:2:initdefault:
si::sysinit:/etc/init.d/rcS
l0:0:wait:/etc/init.d/rc 0
l2:2:wait:/etc/init.d/rc 2
l6:6:wait:/etc/init.d/rc 6
s0:2:respawn:/sbin/getty -L ttyS0 115200 vt100
EOF
chroot "$root" passwd -qd root
rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/usr/share/doc "$root"/usr/share/locale
cp "$root"/boot/vmlinuz-* "$place/vmlinuz"
cp "$root"/boot/initrd.img-* "$place/initrd"
mke2fs -q -t ext4 -d "$root" "$place/disk" 1200M
