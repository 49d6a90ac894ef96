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
"$here/../tools/two_libvirts.sh" "$temp"
cd "$here/.."
.venv/bin/python - "$temp" <<'END'
import re, sys
from pathlib import Path
from tests.support.two_libvirts import document, each, told

DIMM = """<memory model='dimm'><target><size unit='MiB'>128</size><node>0</node></target>
<address type='pci' domain='0' bus='0' slot='0x06' function='0x3'/></memory>"""

for daemon in each(Path(sys.argv[1])):
    library, domain = daemon.module, daemon.connection.defineXML(document())
    domain.createWithFlags(library.VIR_DOMAIN_START_PAUSED)
    live = told(library, domain.attachDeviceFlags, DIMM, library.VIR_DOMAIN_AFFECT_LIVE)
    domain.destroy()
    stored = told(library, domain.attachDeviceFlags, DIMM, library.VIR_DOMAIN_AFFECT_CONFIG)
    address = re.search(r"<address type='dimm'.*?/>", domain.XMLDesc())
    start = told(library, domain.createWithFlags, library.VIR_DOMAIN_START_PAUSED)
    print("expected: refused, as by a running machine:", live)
    print(f"seen:     {stored}; the definition has {address and address[0]}; a start says ...{start[-60:]}")
    assert live != "done" and stored == "done", "this has changed"
    assert address and "base='0x300000006'" in address[0] and start != "done", "this has changed"
END
