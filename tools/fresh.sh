#!/bin/sh
# Runs a command in a copy of this checkout on a bare Debian or Ubuntu: debootstrap's smallest variant, and
# nothing else. For root alone; what is mounted and what runs ends with it, and the root is removed.
#
#   tools/fresh.sh SUITE [COMMAND]    SUITE: bookworm, trixie ...; COMMAND: sh tools/boot, where none is given.
#                                     GUESTMAP_REQUIRE goes there too
#
# Packages come from the archive that this machine's apt is set up with; another one (Ubuntu's, whose keyring
# package has to be here) is named by GUESTMAP_MIRROR. pip there is set up as pip is here,
# and nothing that it sees of this machine can be written.
set -eu
cd "$(dirname "$0")/.."
. tools/apt.sh

[ $# -ge 1 ] || fail "usage: tools/fresh.sh SUITE [COMMAND] (for example: trixie 'sh tools/test')"
suite=$1
command=${2:-sh tools/boot}
[ "$(id -u)" = 0 ] || fail "tools/fresh.sh changes its root directory: run it as root"
have_programs "makes a bare root" debootstrap debootstrap
mirror=${GUESTMAP_MIRROR:-$(debian_archive)}

place=$(mktemp -d "${TMPDIR:-/tmp}/guestmap-fresh.XXXXXX")
trap 'rm -rf --one-file-system "$place"' EXIT
trap 'exit 130' INT TERM HUP
root=$place/root
debootstrap --variant=minbase "$suite" "$root" "$mirror" >"$place/log" 2>&1 ||
    { tail -n 5 "$place/log" >&2 && fail "cannot make a bare $suite from $mirror"; }
cp /etc/resolv.conf "$root/etc/"
mkdir -p "$root/tree"
git ls-files -z --cached --others --exclude-standard |
    tar --create --null --files-from=- --ignore-failed-read 2>/dev/null |
    tar --extract --directory="$root/tree" --no-same-owner

# pip's configuration here, and the folders that it names, are shown there at the same places; of an index
# the folder around it, where its files may lie. Certificates are copied: the package ca-certificates renames
# its own to where they may be.
python3 -m pip config list >"$place/pip" 2>/dev/null || true
{
    python3 -m pip config debug 2>/dev/null | sed -n 's/^ *\(\/.*\), exists: True$/\1/p'
    grep -v "\.cert=" "$place/pip" | grep -o "/[^' ]*" | sed 's,/simple/*$,,'
} | sort -u >"$place/shown" || true
certificates=$(sed -n "s/.*\.cert='\(.*\)'/\1/p" "$place/pip" | head -n 1)
if [ -n "$certificates" ]; then
    cp "$certificates" "$root/etc/pip-certificates.crt"
    export PIP_CERT=/etc/pip-certificates.crt
fi

cat >"$place/inside" <<'END'
set -eu
place=$1 root=$1/root command=$2
mount -t proc proc "$root/proc"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t devpts devpts "$root/dev/pts"
mkdir -p "$root/dev/shm"
mount -t tmpfs tmpfs "$root/dev/shm"
while read -r each; do
    [ -e "$each" ] || continue
    if [ -d "$each" ]; then mkdir -p "$root$each"; else mkdir -p "$root${each%/*}" && touch "$root$each"; fi
    mount --bind "$each" "$root$each"
    mount -o remount,bind,ro "$root$each"
done <"$place/shown"
kept=$(env | grep -E '^(PIP_|GUESTMAP_REQUIRE=|https?_proxy=|HTTPS?_PROXY=)' || true)
IFS='
'
# shellcheck disable=SC2086 # one word a line
exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 TERM="${TERM:-dumb}" $kept \
    chroot "$root" sh -c "cd /tree && $command"
END
unshare --mount --pid --fork --kill-child sh "$place/inside" "$place" "$command"
