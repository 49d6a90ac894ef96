#!/bin/sh
# Unpacks the QEMU of another Debian release below a folder of its own; nothing is installed.
#
#   tools/qemu_root.sh SUITE DIR [ARCH...]    SUITE: trixie, sid ...; ARCH: x86 (else), arm ...
#
# Packages come from the archive that this machine's apt is set up with, checked by apt as ever. DIR/starters
# then holds a starter for each program, which runs it with its own C library, firmware and modules:
# GUESTMAP_QEMU_ROOT=DIR runs every test that asks a live QEMU on it.
set -eu
. "$(dirname "$0")/apt.sh"
. "$(dirname "$0")/own_apt.sh"

[ $# -ge 2 ] || fail "usage: tools/qemu_root.sh SUITE DIR [ARCH...] (for example: sid /tmp/sid x86)"
suite=$1
mkdir -p "$2"
root=$(cd "$2" && pwd)
shift 2
[ $# -gt 0 ] || set -- x86
packages=
for each in "$@"; do
    packages="$packages qemu-system-$each"
done
own_apt "$root" "$suite"
# shellcheck disable=SC2086 # a list of words
own_unpack "$root" $packages seabios ipxe-qemu
own_loader "$root"
named= # loaders before glibc 2.33 cannot give the program its name
"$loader" --help 2>/dev/null | grep -q argv0 && named=--argv0
mkdir -p "$root/starters.new"
for each in "$root"/usr/bin/qemu-system-*; do
    name=${each##*/}
    [ "$(head -c 4 "$each" | tail -c 3)" = ELF ] || continue # a script that starts another one
    cat >"$root/starters.new/$name" <<END
#!/bin/sh
QEMU_MODULE_DIR='$root/usr/lib/x86_64-linux-gnu/qemu' exec '$loader' --library-path '$libraries' \\
    ${named:+$named $name} '$each' "\$@" -L '$root/usr/share/qemu' -L '$root/usr/share/seabios' \\
    -L '$root/usr/lib/ipxe/qemu'
END
    chmod +x "$root/starters.new/$name"
done
rm -rf "$root/starters"
mv "$root/starters.new" "$root/starters"
for each in "$root"/starters/*; do
    "$each" --version >"$root/.version" 2>&1 || fail "$each does not run: $(cat "$root/.version")"
    head -n 1 "$root/.version"
    break
done
