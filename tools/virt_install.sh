#!/bin/sh
# Unpacks this Debian release's virt-install, with what it needs besides libvirt, below a folder of its
# own; nothing is installed.
#
#   tools/virt_install.sh DIR
#
# tests/support/virt_install.py runs it.
set -eu
. "$(dirname "$0")/apt.sh"

[ $# -eq 1 ] || fail "usage: tools/virt_install.sh DIR"
mkdir -p "$1"
cd "$1"
apt_unpack virt-install virtinst osinfo-db libosinfo-1.0-0 gir1.2-libosinfo-1.0 gir1.2-glib-2.0 gir1.2-freedesktop \
    libgirepository-1.0-1 libglib2.0-0 libsoup-3.0-0 libxml2 libxslt1.1 libpsl5 libbrotli1 libnghttp2-14 \
    libicu72 python3-gi python3-libxml2 python3-requests python3-urllib3 python3-certifi python3-chardet \
    python3-charset-normalizer python3-idna python3-six
