"""What an x86 board's fw_cfg holds: the firmware's items, option ROMs, and a kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.firmware.option_roms import option_rom_files, own_rom_files
from guestmap.hw.kvmvapic import ROM_FILE

if TYPE_CHECKING:
    from pathlib import Path

    from guestmap.firmware.fw_cfg_items import FwCfgItems
    from guestmap.hw.fw_cfg import FwCfg
    from guestmap.machine.config import MachineConfig


def fill(
    fw_cfg: FwCfg,
    items: FwCfgItems,
    config: MachineConfig,
    below_4g: int,
    firmware: Path | None = None,
) -> None:
    """Put everything in.

    Args:
        fw_cfg: the device.
        items: what the board tells of itself.
        config: names the option ROMs, and the kernel.
        below_4g: bytes of RAM from address 0.
        firmware: its image, beside which option ROMs may be; None where it runs none of its own.

    Raises:
        ConfigError: a file that is none of its kind, or something that does not fit.
        HostError: a file cannot be read.
    """
    own = own_rom_files(ROM_FILE, firmware) if config.vapic and firmware else {}
    numbered, files = items.numbered, items.files | own | option_rom_files(config.option_roms)
    if config.kernel is not None:
        from guestmap.firmware.linux_boot import linux_boot

        linux = linux_boot(
            config.kernel, config.initrd, config.append, below_4g, config.kernel_entry
        )
        numbered, files = numbered | linux.numbered, files | linux.files
    for key, data in numbered.items():
        fw_cfg.add_bytes(key, data)
    for name, data in files.items():
        fw_cfg.add_file(name, data)
