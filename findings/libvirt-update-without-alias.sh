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
"$here/../tools/libvirt_root.sh" "$temp/9.0"
"$here/../tools/libvirt_root.sh" "$temp/12.9" trixie trixie-backports
cd "$here/.."
.venv/bin/python - "$temp" <<'END'
import re, sys
from pathlib import Path
from tests.support import libvirtd as support

PINNED = {"9.0": 9_000_000, "12.9": 12_009_000}
SAID = "unable to execute QEMU command 'qom-set': Device '/machine/peripheral/(null)' not found"
DOMAIN = """<domain type='qemu'><name>vm</name><memory unit='MiB'>64</memory>
<maxMemory slots='2' unit='GiB'>1</maxMemory><vcpu>1</vcpu>
<os><type machine='pc-i440fx-7.2'>hvm</type></os><features><acpi/></features>
<cpu><numa><cell id='0' cpus='0' memory='64' unit='MiB'/></numa></cpu>
<devices><emulator>/usr/bin/qemu-system-x86_64</emulator><controller type='usb' model='none'/>
<memballoon model='none'/><memory model='virtio-mem'><target><size unit='MiB'>128</size>
<node>0</node><block unit='MiB'>2</block></target></memory></devices></domain>"""

temp = Path(sys.argv[1])
support.ROOT = temp / "9.0"
for release, number in PINNED.items():
    work = temp / f"work-{release}"
    work.mkdir()
    emulator = "/usr/bin/qemu-system-x86_64"
    with support.libvirtd(work, emulator, root=temp / release) as daemon:
        version = daemon.connection.getLibVersion()
        domain = daemon.connection.defineXML(DOMAIN)
        domain.createWithFlags(daemon.module.VIR_DOMAIN_START_PAUSED)
        own = re.search(r"<memory model=.*?</memory>", domain.XMLDesc(), re.S)[0]
        asked = own.replace("<requested unit='KiB'>0<", "<requested unit='KiB'>4096<")
        domain.updateDeviceFlags(asked, 1)  # with the alias it is done
        daemon.sent()
        try:
            domain.updateDeviceFlags(re.sub(r"<alias.*", "", asked), 1)
            told = "done"
        except daemon.module.libvirtError as error:
            told = error.get_error_message()
        paths = [each["arguments"]["path"] for each in daemon.sent() if each["execute"] == "qom-set"]
        domain.destroy()
    print("libvirt", version)
    print("expected: the device is found by its address, or its alias is asked for")
    print(f"seen:     {told}")
    assert version == number, f"another version than {release}: look again"
    assert paths == ["/machine/peripheral/(null)"] and SAID in told, "this has changed"
END
