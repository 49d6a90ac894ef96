"""Our program as an emulator of libvirt's, and a domain that has it, or another."""

from __future__ import annotations

import stat
import sys
from pathlib import Path

DOMAIN = """\
<domain type='qemu'>
  <name>{name}</name>
  <maxMemory slots='4' unit='GiB'>1</maxMemory>
  <memory unit='MiB'>64</memory>
  <vcpu>{cpus}</vcpu>
  <os><type arch='x86_64' machine='pc'>hvm</type></os>
  <features><acpi/></features>
  <cpu mode='custom'><model>qemu64</model>
    <numa><cell id='0' cpus='0' memory='64' unit='MiB'/></numa></cpu>
  <devices>
    <emulator>{emulator}</emulator>
    <memballoon model='none'/>
    <serial type='pty'><target port='0'/></serial>
    {devices}
  </devices>
</domain>
"""


def program(folder: Path) -> str:
    """Return the emulator: a file that starts it, wherever it is installed."""
    found = folder / "guestmap-system-x86_64"
    found.write_text(
        f"#!{sys.executable}\nfrom guestmap.system import main\nmain()\n", encoding="utf-8"
    )
    found.chmod(found.stat().st_mode | stat.S_IXUSR)
    return str(found)


def document(emulator: str, name: str = "ours", *, cpus: int = 1, devices: str = "") -> str:
    """Return a domain of 64 MiB with a serial console and room for DIMMs."""
    return DOMAIN.format(name=name, emulator=emulator, cpus=cpus, devices=devices)
