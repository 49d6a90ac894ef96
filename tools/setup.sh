#!/bin/sh
# Installs what a fresh Debian or Ubuntu lacks, and nothing that is there already.
#
#   tools/setup.sh python EXTRA   the virtual environment, with guestmap and its extra (all, dev)
#   tools/setup.sh firmware       SeaBIOS
#   tools/setup.sh oracle         QEMU, ACPICA and NASM, when GUESTMAP_REQUIRE asks for them (qemu,
#                                 acpica, nasm)
set -eu
cd "$(dirname "$0")/.."

fail() {
    echo "guestmap: $*" >&2
    exit 1
}

# apt_install PACKAGE REASON: install a package, or say which one is missing.
apt_install() {
    as_root=
    if [ "$(id -u)" != 0 ]; then
        if command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
            as_root="sudo -n"
        else
            fail "$2: install the package $1 (apt-get install $1) and try again"
        fi
    fi
    command -v apt-get >/dev/null 2>&1 ||
        fail "$2: there is no apt-get here; install what Debian calls $1 and try again"
    echo "guestmap: installing $1 ($2)"
    export DEBIAN_FRONTEND=noninteractive
    $as_root apt-get install -y -qq --no-install-recommends "$1" >/dev/null 2>&1 ||
        { $as_root apt-get update -qq >/dev/null 2>&1 &&
            $as_root apt-get install -y -qq --no-install-recommends "$1" >/dev/null; } ||
        fail "$2: apt-get could not install $1; install it by hand and try again"
}

find_python() {
    for each in python3 python3.13 python3.12 python3.11; do
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
        apt_install python3 "needs Python 3.11 or newer"
        python=$(find_python)
        [ -n "$python" ] || fail "needs Python 3.11 or newer: $(python3 --version 2>&1) is too old"
    fi
    if [ ! -x .venv/bin/pip ]; then
        rm -rf .venv
        "$python" -m venv .venv >/dev/null 2>&1 || {
            rm -rf .venv
            apt_install python3-venv "needs Python's venv module"
            "$python" -m venv .venv
        }
    fi
    echo "guestmap: installing Python packages (extra: $1)"
    .venv/bin/pip install -q --disable-pip-version-check -e ".[$1]"
    touch ".venv/.installed-$1"
    [ "$1" != dev ] || touch .venv/.installed-all
}

setup_firmware() {
    [ -z "${GUESTMAP_BIOS:-}" ] || return 0
    for each in /usr/share/seabios /usr/share/qemu /usr/local/share/qemu; do
        [ ! -e "$each/bios-256k.bin" ] || return 0
    done
    apt_install seabios "needs the SeaBIOS firmware"
}

setup_oracle() {
    case ",${GUESTMAP_REQUIRE:-}," in
    *,qemu,* | *,all,*)
        command -v qemu-system-x86_64 >/dev/null 2>&1 ||
            apt_install qemu-system-x86 "GUESTMAP_REQUIRE asks for QEMU"
        ;;
    esac
    case ",${GUESTMAP_REQUIRE:-}," in
    *,acpica,* | *,all,*)
        command -v iasl >/dev/null 2>&1 && command -v acpiexec >/dev/null 2>&1 ||
            apt_install acpica-tools "GUESTMAP_REQUIRE asks for ACPICA"
        ;;
    esac
    case ",${GUESTMAP_REQUIRE:-}," in
    *,nasm,* | *,all,*)
        command -v nasm >/dev/null 2>&1 || apt_install nasm "GUESTMAP_REQUIRE asks for NASM"
        ;;
    esac
}

case "$1" in
python) setup_python "$2" ;;
*) for each in "$@"; do "setup_$each"; done ;;
esac
