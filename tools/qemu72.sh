#!/bin/sh
# The QEMU 7.2 that the tests compare with: the distribution's where it is that one (Debian 12), else
# unpacked from Debian 12's packages into .oracle/qemu-7.2, where the tests find it.
set -eu
cd "$(dirname "$0")/.."
. tools/apt.sh

is_72() {
    "$1" --version 2>/dev/null | grep -q 'version 7\.2\.'
}

unpacked=.oracle/qemu-7.2
is_72 "${GUESTMAP_QEMU:-qemu-system-x86_64}" && exit 0
is_72 "$unpacked/starters/qemu-system-x86_64" && exit 0
if grep -q '^VERSION_ID="12"' /etc/os-release 2>/dev/null; then
    apt_install "the tests' peer" qemu-system-x86
else
    echo "guestmap: unpacking QEMU 7.2 (the tests' peer)"
    tools/qemu_root.sh bookworm "$unpacked" >/dev/null
fi
