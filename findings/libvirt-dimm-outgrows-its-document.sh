#!/bin/sh
# libvirt 9.0 and 12.9: a DIMM of an odd number of MiB starts one MiB larger, and its own document detaches it no more.
#
# Expected: one document means one size. Attached live it is refused (QEMU wants multiples of 2 MiB), so it is refused
# for the stored definition too, or rounded there as it will be at the start.
# Seen: the definition keeps 129 MiB, the start makes 130 of it in the running machine alone, and detaching from both by the
# document finds no such device: sizes are compared. A plug rounds to 1 MiB instead, and so ends in QEMU's refusal.
# Needs root (namespaces of its own), the Python of Debian 12, and its QEMU.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT
"$here/../tools/two_libvirts.sh" "$temp"
cd "$here/.."
.venv/bin/python - "$temp" <<'END'
import re, sys
from pathlib import Path
from tests.support.two_libvirts import document, each, told

DIMM = """<memory model='dimm'><target><size unit='MiB'>129</size><node>0</node></target></memory>"""

def sizes(xml):
    return [int(size) >> 10 for size in re.findall(r"<size unit='KiB'>(\d+)<", xml)]

for daemon in each(Path(sys.argv[1])):
    library, domain = daemon.module, daemon.connection.defineXML(document())
    live, stored = library.VIR_DOMAIN_AFFECT_LIVE, library.VIR_DOMAIN_AFFECT_CONFIG
    attached = told(library, domain.attachDeviceFlags, DIMM, stored)
    domain.createWithFlags(library.VIR_DOMAIN_START_PAUSED)
    running = sizes(domain.XMLDesc())
    kept = sizes(domain.XMLDesc(library.VIR_DOMAIN_XML_INACTIVE))
    detached = told(library, domain.detachDeviceFlags, DIMM, live | stored)
    plugged = told(library, domain.attachDeviceFlags, DIMM, live)
    domain.destroy()
    print("expected: one size, or a refusal as of a plug:", plugged)
    print(f"seen:     attached: {attached}; MiB stored {kept}, running {running}; detached: {detached}")
    assert attached == "done" and (kept, running) == ([129], [130]), "this has changed"
    assert "not present" in detached and "multiple of 0x200000" in plugged, "this has changed"
END
