#!/bin/sh
# libvirt 9.0 and 12.9: of what ssh complains nothing is left once it is longer than 1,024 bytes.
#
# Expected: where a qemu+ssh:// connection fails, the error quotes ssh, as it does for a short complaint.
# Seen: "Cannot recv data: Value too large for defined data type". OpenSSH's own warning about a host whose key is
# another one names the file of known hosts three times, so a home with a long path is enough: the user is told
# about a data type, and not that the host may be a stranger.
# Needs root (namespaces of its own), the Python of Debian 12, and its QEMU. A script stands for ssh here.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT
"$here/../tools/libvirt_root.sh" "$temp/9.0"
"$here/../tools/libvirt_root.sh" "$temp/12.9" trixie trixie-backports
cd "$here/.."
.venv/bin/python - "$temp" <<'END_OF_PROGRAM'
import sys
from pathlib import Path
from tests.support import libvirtd as support

PINNED = {"9.0": 9_000_000, "12.9": 12_009_000}
OVERFLOW = "Cannot recv data: Value too large for defined data type"
temp = Path(sys.argv[1])
support.ROOT = temp / "9.0"

def told(daemon, length):
    """Return what a client is told whose ssh complains in so many bytes."""
    ssh = temp / f"ssh{length}"
    ssh.write_text(f"#!/bin/sh\nprintf '%0{length}d' 0 >&2\nexit 255\n")
    ssh.chmod(0o755)
    try:
        daemon.module.open(f"qemu+ssh://nowhere/system?command={ssh}")
    except daemon.module.libvirtError as error:
        return error.get_error_message()

for release, number in PINNED.items():
    work = temp / f"work-{release}"
    work.mkdir()
    with support.libvirtd(work, "/usr/bin/qemu-system-x86_64", root=temp / release) as daemon:
        version = daemon.connection.getLibVersion()
        short, long = told(daemon, 1000), told(daemon, 1100)
    print("libvirt", version)
    print("expected: what ssh complains of is quoted, of 1,000 bytes and of 1,100")
    print("seen:    ", short[:40], "... and", long)
    assert version == number, f"another version than {release}: look again"
    assert "0" * 900 in short and long == OVERFLOW, "this has changed"
END_OF_PROGRAM
