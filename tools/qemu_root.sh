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

[ $# -ge 2 ] || fail "usage: tools/qemu_root.sh SUITE DIR [ARCH...] (for example: sid /tmp/sid x86)"
suite=$1
mkdir -p "$2"
root=$(cd "$2" && pwd)
shift 2
[ $# -gt 0 ] || set -- x86
command -v apt-get >/dev/null 2>&1 || fail "needs Debian's apt-get and dpkg"

archive=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Component: main' |
    grep '/debian/$' | sort -u | head -n 1)
[ -n "$archive" ] || fail "no Debian archive in apt's own sources; run apt-get update first"

# An apt of its own: nothing of this machine's state is read or written but its keys.
apt=$root/.apt
mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" "$apt/etc" "$apt/dpkg"
: >"$apt/dpkg/status"
keys=$(ls /usr/share/keyrings/debian-archive-keyring.* 2>/dev/null | head -n 1)
[ -n "$keys" ] || fail "needs the package debian-archive-keyring"
echo "deb [signed-by=$keys] $archive $suite main" >"$apt/etc/sources.list"
packages=
for each in "$@"; do
    packages="$packages qemu-system-$each"
done
own() {
    apt-get -q -o "Dir::State=$apt" -o "Dir::State::lists=$apt/lists" -o "Dir::State::status=$apt/dpkg/status" \
        -o "Dir::Cache=$apt/cache" -o "Dir::Etc::sourcelist=$apt/etc/sources.list" -o Dir::Etc::sourceparts=- \
        -o Dir::Etc::main=- -o Dir::Etc::parts=- -o Dir::Etc::preferencesparts=- -o APT::Sandbox::User=root \
        -o APT::Install-Recommends=false -o Debug::NoLocking=true "$@"
}
own update >"$apt/log" 2>&1 || { tail -n 5 "$apt/log" >&2 && fail "cannot read the index of $suite"; }
# shellcheck disable=SC2086 # a list of words
own install -y --download-only $packages seabios ipxe-qemu >>"$apt/log" 2>&1 ||
    { tail -n 5 "$apt/log" >&2 && fail "cannot download$packages of $suite"; }
for each in "$apt"/cache/archives/*.deb; do
    dpkg-deb -x "$each" "$root"
    rm "$each"
done

# The loader is told the libraries, since the programs' own paths are those of the other release. (The
# link in lib64 is absolute: it would be this machine's loader.)
libraries=
for each in usr/lib lib; do
    each=$root/$each/x86_64-linux-gnu
    [ ! -e "$each/ld-linux-x86-64.so.2" ] || loader=$each/ld-linux-x86-64.so.2
    libraries=$libraries$each:$each/pulseaudio:
done
[ -n "${loader:-}" ] || fail "no x86-64 loader in the packages; only that host is supported"
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
