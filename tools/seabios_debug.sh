#!/bin/sh
# Builds Debian 12's SeaBIOS once more, with the debug log at its highest level, for the tests of its flow.
#
#   tools/seabios_debug.sh DIR
#
# The source package is downloaded below DIR, and DIR/bios.bin is the image; nothing is installed.
set -eu
. "$(dirname "$0")/apt.sh"
. "$(dirname "$0")/own_apt.sh"

[ $# = 1 ] || fail "usage: tools/seabios_debug.sh DIR"
mkdir -p "$1"
root=$(cd "$1" && pwd)
have_programs "SeaBIOS is built here" "gcc make python3 acpica-tools patch xz-utils" gcc make python3 iasl patch xz
own_apt "$root" bookworm
sed -i 's/^deb /deb-src /' "$apt/etc/sources.list"
own update >"$apt/log" 2>&1 || fail "cannot read the index of bookworm's sources"
(cd "$root" && own source --download-only seabios >>"$apt/log" 2>&1) || fail "cannot download the source of seabios"
tar -C "$root" -xf "$root"/seabios_*.orig.tar.*
source=$(echo "$root"/seabios-*/)
tar -C "$source" -xf "$root"/seabios_*.debian.tar.*
while read -r each; do
    patch -d "$source" -p1 -s <"$source/debian/patches/$each"
done <"$source/debian/patches/series"
mkdir "$source/out"
printf 'CONFIG_QEMU=y\nCONFIG_ROM_SIZE=256\nCONFIG_DEBUG_LEVEL=8\n' >"$source/out/.config"
for each in oldnoconfig out/bios.bin; do
    make -C "$source" KCONFIG_CONFIG="$source/out/.config" OUT=out/ EXTRAVERSION=-debug "$each" >>"$apt/log" 2>&1 ||
        fail "cannot build SeaBIOS: $apt/log says why"
done
cp "$source/out/bios.bin" "$root/bios.bin"
rm -rf "$source" "$root"/seabios_* "$apt"
