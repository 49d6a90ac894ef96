#!/bin/sh
# Installs what a bare Debian or Ubuntu lacks, and nothing that is there already.
#
#   tools/setup.sh make           make
#   tools/setup.sh python EXTRA   the virtual environment, with guestmap and its extra (boot, dev, fuzz, audit):
#                                 the releases of tools/locked, their hashes checked. Where these cannot be
#                                 had, GUESTMAP_UNLOCKED=1 takes what pip finds
#   tools/setup.sh packages DIR   what the tests of `make test-free-threaded` need
#   tools/setup.sh firmware       SeaBIOS
#   tools/setup.sh oracle         what the tests compare with: QEMU 7.2 and its qemu-img, ACPICA, NASM, GDB
#   tools/setup.sh peers          what `make test-peers` talks to: newer QEMUs, a Linux guest, libvirt, OpenSSH and Qiling,
#                                 each unpacked below .oracle, nothing installed (peers); strace, Chromium, spin.
#                                 What cannot be had of these two is said and left out, unless GUESTMAP_REQUIRE
#                                 asks for it (qemu, acpica, nasm, gdb, chromium, spin, peers)
#   tools/setup.sh debian         a Debian on a disk, which one of `make test-long` boots (peers)
set -eu
cd "$(dirname "$0")/.."
. tools/apt.sh

find_python() {
    for each in python3 python3.14 python3.13 python3.12 python3.11; do
        if command -v "$each" >/dev/null 2>&1 &&
            "$each" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$each"
            return
        fi
    done
}

setup_python() {
    python=$(find_python)
    if [ -z "$python" ]; then
        apt_install "needs Python 3.11 or newer" python3 python3-venv
        python=$(find_python)
        [ -n "$python" ] || fail "needs Python 3.11 or newer: $(python3 --version 2>&1) is too old"
    fi
    if [ ! -x .venv/bin/pip ]; then
        rm -rf .venv
        "$python" -m venv .venv >/dev/null 2>&1 || {
            rm -rf .venv
            apt_install "needs Python's venv module" python3-venv
            "$python" -m venv .venv
        }
    fi
    echo "guestmap: installing Python packages (extra: $1)"
    pip=".venv/bin/pip install -q --disable-pip-version-check"
    if [ -n "${GUESTMAP_UNLOCKED:-}" ]; then
        $pip -e ".[$1]"
    else
        $pip --require-hashes -r tools/locked/build.txt -r "tools/locked/$1.txt" ||
            fail "cannot install what tools/locked/$1.txt says (GUESTMAP_UNLOCKED=1 takes what pip finds)"
        $pip --no-deps --no-build-isolation -e .
    fi
    touch ".venv/.installed-$1"
    [ "$1" != dev ] || touch .venv/.installed-boot
}

# What a CPython without a global lock is tried with: packages in Python alone, in a folder of their own.
setup_packages() {
    [ ! -d "$1" ] || return 0
    .venv/bin/pip install -q --disable-pip-version-check --require-hashes --no-deps --only-binary :all: \
        --implementation py --python-version 3.13 --abi none --platform any --target "$1" \
        -r tools/locked/free_threaded.txt || fail "cannot install what tools/locked/free_threaded.txt says"
}

setup_make() {
    command -v make >/dev/null 2>&1 || apt_install "needs make" make
}

setup_firmware() {
    [ -z "${GUESTMAP_BIOS:-}" ] || return 0
    for each in /usr/share/seabios /usr/share/qemu /usr/local/share/qemu; do
        [ ! -e "$each/bios-256k.bin" ] || return 0
    done
    apt_install "needs the SeaBIOS firmware" seabios
}

# wanted WORD: whether GUESTMAP_REQUIRE asks for a peer.
wanted() {
    case ",${GUESTMAP_REQUIRE:-}," in *,"$1",* | *,all,*) return 0 ;; esac
    return 1
}

# peer WORD COMMAND...: set a peer of the tests up; without it they skip, where nobody asked for it.
peer() {
    word=$1
    shift
    if wanted "$word"; then
        "$@"
    else
        ("$@") || echo "guestmap: without it, tests that need it are skipped" >&2
    fi
}

setup_oracle() {
    peer qemu tools/qemu72.sh
    peer qemu have_programs "the tests' disk images" qemu-utils qemu-nbd qemu-img
    peer acpica have_programs "the tests' ACPI interpreter" acpica-tools iasl acpiexec
    peer nasm have_programs "the tests' assembler" nasm nasm
    peer gdb have_programs "the tests' debugger" gdb gdb
    # A bare root has no /etc/hosts, and what is served there, for one, is asked for at localhost.
    [ -e /etc/hosts ] || peer qemu apt_install "what localhost is" netbase
}

setup_peers() {
    peer peers have_programs "the tests' tracer" strace strace
    peer chromium have_programs "the tests' browser" "chromium chromium-driver" chromium chromedriver
    peer spin have_programs "the tests' model checker" spin spin
    peer peers unpack qemu-10.0 tools/qemu_root.sh trixie .oracle/qemu-10.0
    peer peers unpack qemu-new tools/qemu_root.sh forky .oracle/qemu-new x86 arm ppc s390x riscv misc
    peer peers unpack linux tools/linux_guest.sh .oracle/linux
    peer peers unpack linux-new tools/linux_kernel.sh forky .oracle/linux-new
    peer peers unpack linux-686 tools/linux_686.sh .oracle/linux-686
    peer peers unpack boot-media tools/boot_media.sh .oracle/boot-media
    peer peers unpack seabios-debug tools/seabios_debug.sh .oracle/seabios-debug
    peer peers unpack libvirt tools/libvirt_root.sh .oracle/libvirt
    peer peers unpack libvirt-new tools/libvirt_root.sh .oracle/libvirt-new trixie trixie-backports
    peer peers unpack openssh tools/openssh.sh .oracle/openssh
    peer peers unpack virt-install tools/virt_install.sh .oracle/virt-install
    peer peers unpack qiling tools/qiling_env.sh .oracle/qiling
}

setup_debian() {
    peer peers unpack debian tools/debian_disk.sh .oracle/debian
}

# unpack NAME COMMAND...: run COMMAND, which makes .oracle/NAME, unless it has been there before.
unpack() {
    name=$1
    shift
    [ ! -e ".oracle/$name/.whole" ] || return 0
    echo "guestmap: unpacking $name (a peer of the tests)"
    rm -rf ".oracle/$name"
    "$@" >/dev/null && touch ".oracle/$name/.whole"
}

case "$1" in
python) setup_python "$2" ;;
packages) setup_packages "$2" ;;
*) for each in "$@"; do "setup_$each"; done ;;
esac
