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
have_programs "builds SeaBIOS" "gcc make python3 acpica-tools dpkg-dev" gcc make python3 iasl dpkg-source
own_apt "$root" bookworm
own_source "$root/source" seabios
cd "$root"/source/seabios-*/
mkdir out
printf 'CONFIG_QEMU=y\nCONFIG_ROM_SIZE=256\nCONFIG_DEBUG_LEVEL=8\n' >out/.config
for each in oldnoconfig out/bios.bin; do
    make KCONFIG_CONFIG="$PWD/out/.config" OUT=out/ EXTRAVERSION=-debug "$each" >>"$apt/log" 2>&1 ||
        { tail -n 5 "$apt/log" >&2 && fail "SeaBIOS cannot be built"; }
done
cp out/bios.bin "$root/bios.bin"
rm -rf "$root/source" "$apt"
