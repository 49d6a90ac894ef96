#!/bin/sh
# Unpacks this Debian release's OpenSSH, server and client, below a folder of its own; nothing is installed.
#
#   tools/openssh.sh DIR
#
# tests/support/sshd.py starts the server beside a libvirt, where it touches nothing of this machine.
set -eu
. "$(dirname "$0")/apt.sh"

[ $# -eq 1 ] || fail "usage: tools/openssh.sh DIR"
mkdir -p "$1"
cd "$1"
apt_unpack OpenSSH openssh-server openssh-client libwrap0 libedit2 libbsd0 libmd0
