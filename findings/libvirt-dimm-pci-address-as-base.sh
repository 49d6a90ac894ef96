#!/bin/sh
# libvirt 9.0 and 12.9: a DIMM that is stored with a PCI address comes back with a base address made of slot and function.
#
# Expected: a DIMM has no place on a PCI bus: the document is refused, as it is on a running machine.
# Seen: attaching to the stored definition succeeds, and dumpxml shows <address type='dimm' slot='0' base='0x300000006'/>
# for slot 6, function 3: both kinds of address share their memory, and only the word for the kind was set. Nobody has
# written that base; the domain does not start any more, for the base is not aligned.
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
DIMM = """<memory model='dimm'><target><size unit='MiB'>128</size><node>0</node></target>
<address type='pci' domain='0' bus='0' slot='0x06' function='0x3'/></memory>"""

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
        paused = library.VIR_DOMAIN_START_PAUSED
        domain.createWithFlags(paused)
        live = told(library, domain.attachDeviceFlags, DIMM, library.VIR_DOMAIN_AFFECT_LIVE)
        domain.destroy()
        stored = told(library, domain.attachDeviceFlags, DIMM, library.VIR_DOMAIN_AFFECT_CONFIG)
        address = re.search(r"<address type='dimm'.*?/>", domain.XMLDesc())
        start = told(library, domain.createWithFlags, paused)
    print("libvirt", version)
    print("expected: refused, as by a running machine:", live)
    print(f"seen:     {stored}; the definition has {address and address[0]}; a start says ...{start[-60:]}")
    assert version == number, f"another version than {release}: look again"
    assert live != "done" and stored == "done", "this has changed"
    assert address and "base='0x300000006'" in address[0] and start != "done", "this has changed"
END
