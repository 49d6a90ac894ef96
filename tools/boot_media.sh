#!/bin/sh
# Unpacks what makes bootable disks and discs for the tests below a folder of its own; nothing is installed.
#
#   tools/boot_media.sh DIR
#
# DIR/usr/lib/grub/i386-pc is Debian 12's GRUB for PCs; DIR/starters has grub-mkimage, grub-mkrescue,
# xorriso, syslinux and some of mtools, which run here.
set -eu
. "$(dirname "$0")/apt.sh"
. "$(dirname "$0")/own_apt.sh"

[ $# = 1 ] || fail "usage: tools/boot_media.sh DIR"
mkdir -p "$1/starters"
root=$(cd "$1" && pwd)
own_apt "$root" bookworm
own_unpack "$root" grub-pc-bin grub-common xorriso syslinux mtools
own_loader "$root"
for each in grub-mkimage grub-mkrescue xorriso syslinux mformat mcopy mattrib mmove; do
    cat >"$root/starters/$each" <<EOF
#!/bin/sh
exec "$loader" --library-path "$libraries" "$root/usr/bin/$each" "\$@"
EOF
    chmod +x "$root/starters/$each"
done
rm -rf "$root/usr/share/doc" "$root/usr/share/man" "$root/usr/share/locale"
