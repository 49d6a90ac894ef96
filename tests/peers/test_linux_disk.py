"""A stock Linux on our own engine uses an IDE disk and a CD-ROM drive, by bus-master DMA."""

from __future__ import annotations

import hashlib
import random
from pathlib import Path

import pytest

from tests.support.linux_guest import linux_on_our_engine

pytestmark = [
    pytest.mark.peers, pytest.mark.unicorn, pytest.mark.seabios, pytest.mark.timeout(300)
]  # fmt: skip

MODULES = ("scsi_common", "scsi_mod", "libata", "ata_piix", "sd_mod", "cdrom", "sr_mod")
MIB = 1 << 20


def test_linux_reads_and_writes_its_disks(tmp_path: Path) -> None:
    disk, disc = tmp_path / "disk", tmp_path / "disc"
    content = random.Random(1).randbytes(8 * MIB)
    disk.write_bytes(content)
    disc.write_bytes(content[: 2 * MIB])
    drives = ("--disk", str(disk), "--cdrom", str(disc))
    with linux_on_our_engine(tmp_path, "-m", "256M", *drives, modules=MODULES) as guest:
        guest.until("cat /proc/partitions", "sr0")
        told = guest.run("dmesg")
        assert "ata1.00: ATA-7: QEMU HARDDISK, 2.5+, max UDMA/100" in told
        assert "ctl 0x3f6 bmdma 0x" in told
        guest.run(
            "test -b /dev/sda || mknod /dev/sda b 8 0; test -b /dev/sr0 || mknod /dev/sr0 b 11 0"
        )
        read = guest.run("sha256sum /dev/sda | cut -d' ' -f1")
        assert read.strip() == hashlib.sha256(content).hexdigest()
        read = guest.run("dd if=/dev/sr0 bs=2048 2>/dev/null | sha256sum | cut -d' ' -f1")
        assert read.strip() == hashlib.sha256(content[: 2 * MIB]).hexdigest()
        guest.run("dd if=/dev/sda of=/dev/sda bs=64k count=16 seek=64 conv=fsync 2>/dev/null")
        assert "error" not in guest.run("dmesg | grep -E 'ata|sd|sr' || true").lower()
    assert disk.read_bytes() == content[: 4 * MIB] + content[:MIB] + content[5 * MIB :]
