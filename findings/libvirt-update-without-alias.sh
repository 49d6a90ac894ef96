#!/bin/sh
# libvirt 9.0 and 12.9: a virtio-mem device's own XML without its <alias> asks QEMU for "/machine/peripheral/(null)".
#
# Expected: an update by a device's XML finds it by its PCI address, as detaching does, or says that it wants the alias.
# Seen: the device is found by its address, and the command is made of the alias of the document, which is a null
# pointer: QEMU is sent a path with "(null)" in it, and its refusal is what the user gets. Nothing is changed by it.
# Without the address the answer is "memory '(null)' not found".
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

SAID = "unable to execute QEMU command 'qom-set': Device '/machine/peripheral/(null)' not found"
DEVICE = """<memory model='virtio-mem'><target><size unit='MiB'>128</size>
<node>0</node><block unit='MiB'>2</block></target></memory>"""

for daemon in each(Path(sys.argv[1])):
    library, domain = daemon.module, daemon.connection.defineXML(document(DEVICE))
    domain.createWithFlags(library.VIR_DOMAIN_START_PAUSED)
    own = re.search(r"<memory model=.*?</memory>", domain.XMLDesc(), re.S)[0]
    asked = own.replace("<requested unit='KiB'>0<", "<requested unit='KiB'>4096<")
    domain.updateDeviceFlags(asked, library.VIR_DOMAIN_AFFECT_LIVE)  # with the alias it is done
    daemon.sent()
    nameless = re.sub(r"<alias.*", "", asked)
    said = told(library, domain.updateDeviceFlags, nameless, library.VIR_DOMAIN_AFFECT_LIVE)
    paths = [one["arguments"]["path"] for one in daemon.sent() if one["execute"] == "qom-set"]
    domain.destroy()
    print("expected: the device is found by its address, or its alias is asked for")
    print(f"seen:     {said}")
    assert paths == ["/machine/peripheral/(null)"] and SAID in said, "this has changed"
END
