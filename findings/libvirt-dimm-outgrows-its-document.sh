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
"$here/../tools/libvirt_root.sh" "$temp/9.0"
"$here/../tools/libvirt_root.sh" "$temp/12.9" trixie trixie-backports
cd "$here/.."
.venv/bin/python - "$temp" <<'END'
import re, sys
from pathlib import Path
from tests.support import libvirtd as support

PINNED = {"9.0": 9_000_000, "12.9": 12_009_000}
DOMAIN = """<domain type='qemu'><name>vm</name><memory unit='MiB'>64</memory>
<maxMemory slots='2' unit='GiB'>1</maxMemory><vcpu>1</vcpu>
<os><type machine='pc-i440fx-7.2'>hvm</type></os><features><acpi/></features>
<cpu><numa><cell id='0' cpus='0' memory='64' unit='MiB'/></numa></cpu>
<devices><emulator>/usr/bin/qemu-system-x86_64</emulator><controller type='usb' model='none'/>
<memballoon model='none'/></devices></domain>"""
DIMM = """<memory model='dimm'><target><size unit='MiB'>129</size><node>0</node></target></memory>"""

def sizes(xml):
    return [int(each) >> 10 for each in re.findall(r"<size unit='KiB'>(\d+)<", xml)]

def told(library, action, *arguments):
    try:
        action(*arguments)
    except library.libvirtError as error:
        return error.get_error_message()
    return "done"

temp = Path(sys.argv[1])
support.ROOT = temp / "9.0"
for release, number in PINNED.items():
    work = temp / f"work-{release}"
    work.mkdir()
    with support.libvirtd(work, "/usr/bin/qemu-system-x86_64", root=temp / release) as daemon:
        version, library = daemon.connection.getLibVersion(), daemon.module
        domain = daemon.connection.defineXML(DOMAIN)
        live, stored = library.VIR_DOMAIN_AFFECT_LIVE, library.VIR_DOMAIN_AFFECT_CONFIG
        attached = told(library, domain.attachDeviceFlags, DIMM, stored)
        domain.createWithFlags(library.VIR_DOMAIN_START_PAUSED)
        running = sizes(domain.XMLDesc())
        kept = sizes(domain.XMLDesc(library.VIR_DOMAIN_XML_INACTIVE))
        detached = told(library, domain.detachDeviceFlags, DIMM, live | stored)
        plugged = told(library, domain.attachDeviceFlags, DIMM, live)
        domain.destroy()
    print("libvirt", version)
    print("expected: one size, or a refusal as of a plug:", plugged)
    print(f"seen:     attached: {attached}; MiB stored {kept}, running {running}; detached: {detached}")
    assert version == number, f"another version than {release}: look again"
    assert attached == "done" and (kept, running) == ([129], [130]), "this has changed"
    assert "not present" in detached and "multiple of 0x200000" in plugged, "this has changed"
END
