#!/bin/sh
# Linux 6.1 in QEMU 7.2: a DIMM that the kernel refuses to add is told to the machine as one that was added.
#
# Expected: _OST, by which an operating system tells what has become of a device check, has a status other than 0
# where nothing was added; QEMU passes it on as ACPI_DEVICE_OST, and managers take 0 as success.
# Seen: 100 MiB are no multiple of the guest's memory blocks (128 MiB). QEMU takes the DIMM, the kernel's log says that
# it could not be added, the memory does not grow, and _OST is source 1 (device check), status 0 (success).
# Who plugs memory has to look at the guest's block size beforehand, or at its memory afterwards.
# Needs the Python of Debian 12, and its QEMU.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT
"$here/../tools/linux_guest.sh" "$temp/linux"
cd "$here/.."
.venv/bin/python - "$temp" <<'END'
import json, socket, sys
from pathlib import Path
from tests.support import linux_guest as support

PINNED = "6.1."
MIB = 1 << 20
SIZES = 128 * MIB, 100 * MIB

def plug(talk, name, size):
    """Return the status that the guest tells, after a DIMM was plugged."""
    for execute, arguments in (
        ("object-add", {"qom-type": "memory-backend-ram", "id": f"m{name}", "size": size}),
        ("device_add", {"driver": "pc-dimm", "id": name, "memdev": f"m{name}"}),
    ):
        talk.write(json.dumps({"execute": execute, "arguments": arguments}) + "\n")
        talk.flush()
        while "return" not in (told := json.loads(talk.readline())):
            assert "error" not in told, told
    while (told := json.loads(talk.readline())).get("event") != "ACPI_DEVICE_OST":
        pass
    return told["data"]["info"]["source"], told["data"]["info"]["status"]

temp = Path(sys.argv[1])
support.PARTS = temp / "linux"
with support.linux(temp, "-m", "512M,slots=2,maxmem=4G") as guest:
    monitor = socket.socket(socket.AF_UNIX)
    monitor.connect(str(guest.qmp))
    talk = monitor.makefile("rw")
    greeting = json.loads(talk.readline())["QMP"]["version"]["qemu"]
    talk.write('{"execute": "qmp_capabilities"}\n')
    release = guest.run("uname -r").strip()
    block = int(guest.run("cat /sys/devices/system/memory/block_size_bytes"), 16) // MIB
    told, grown = [], []
    for number, size in enumerate(SIZES):
        before = guest.run("ls -d /sys/devices/system/memory/memory*").count("\n")
        told.append(plug(talk, f"d{number}", size))
        after = guest.run("ls -d /sys/devices/system/memory/memory*").count("\n")
        grown.append((after - before) * block)
    log = guest.run("dmesg | grep -i add_memory || true")
print("QEMU {major}.{minor}.{micro}".format(**greeting), "- Linux", release, "- blocks of", block, "MiB")
for size, ost, more in zip(SIZES, told, grown):
    print(f"{size // MIB} MiB plugged: {more} MiB more in the guest, _OST source {ost[0]}, status {ost[1]}")
print("the guest's log:", log.strip())
print("expected: a status other than 0 where nothing was added")
assert release.startswith(PINNED), f"another version than {PINNED}: look again"
assert grown == [128, 0] and told == [(1, 0), (1, 0)], "this has changed"
END
