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
"$here/../tools/two_libvirts.sh" "$temp"
cd "$here/.."
.venv/bin/python - "$temp" <<'END_OF_PROGRAM'
import sys
from pathlib import Path
from tests.support.two_libvirts import each, told

OVERFLOW = "Cannot recv data: Value too large for defined data type"
temp = Path(sys.argv[1])

def complained(library, length):
    """Return what a client is told whose ssh complains in so many bytes."""
    ssh = temp / f"ssh{length}"
    ssh.write_text(f"#!/bin/sh\nprintf '%0{length}d' 0 >&2\nexit 255\n")
    ssh.chmod(0o755)
    return told(library, library.open, f"qemu+ssh://nowhere/system?command={ssh}")

for daemon in each(temp):
    short, long = complained(daemon.module, 1000), complained(daemon.module, 1100)
    print("expected: what ssh complains of is quoted, of 1,000 bytes and of 1,100")
    print("seen:    ", short[:40], "... and", long)
    assert "0" * 900 in short and long == OVERFLOW, "this has changed"
END_OF_PROGRAM
