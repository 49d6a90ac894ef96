"""fw_cfg: the window through which firmware reads its machine's configuration.

Two ways in (QEMU, docs/specs/fw_cfg.rst): a 16-bit selector and an 8-bit data port at 510h, and a
DMA interface at 514h that takes the big-endian guest address of one request. What the items hold
is not this device's business: the machine adds them by number or, as files, by name.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from guestmap.base import ConfigError
from guestmap.hw.declare import SYS_BUS_DEVICE, declare, setting
from guestmap.hw.device import IoRegion, Place, Space
from guestmap.hw.fw_cfg.items import (
    FILE_SLOTS,
    KEY_ARCH_LOCAL,
    FwCfgContent,
    FwCfgEntry,
    FwCfgState,
)
from guestmap.memory import AccessSizes, Endianness, MemoryRegionOps, MemTxResult
from guestmap.qom import BOOL, UINT16

if TYPE_CHECKING:
    from guestmap.memory import AddressSpace, MemTxAttrs

SELECTOR_PORT = 0x510
"""Selector (16-bit writes) and data (8-bit reads); the data port proper is the next one."""
DMA_PORT = 0x514
"""DMA address register, 64 bits, big endian; the low half starts the transfer."""

_KEY_MASK = 0x3FFF  # without the architecture bit and the obsolete write-channel bit 4000h

_DMA_SIGNATURE = b"QEMU CFG"
_DMA_REQUEST = struct.Struct(">IIQ")  # control, length, address
_DMA_CONTROL = struct.Struct(">I")
_DMA_ERROR, _DMA_READ, _DMA_SKIP, _DMA_SELECT, _DMA_WRITE = 0x01, 0x02, 0x04, 0x08, 0x10

FW_CFG = declare("fw_cfg", SYS_BUS_DEVICE, setting("acpi-mr-restore", BOOL, True), abstract=True)


class FwCfg(FwCfgContent):
    """The device: two port regions and the items behind them.

    Args:
        dma: the address space that DMA requests and their buffers live in; None for a device
            without DMA (its register then still shows the signature, and transfers do nothing).
    """

    TYPE = declare(
        "fw_cfg_io",
        FW_CFG,
        setting("dma_enabled", BOOL, True),
        setting("x-file-slots", UINT16, FILE_SLOTS),
    )
    OUTLIVES_RESET = ("dma_address", "written")

    def __init__(self, dma: AddressSpace | None = None) -> None:
        super().__init__()
        self._dma = dma
        self._selected: FwCfgEntry | None = None
        self._data: bytes | bytearray = b""

    def places(self) -> tuple[Place, ...]:
        """Return ``fwcfg``, 2 ports at 510h, and ``fwcfg.dma``, 8 ports at 514h."""
        ports = MemoryRegionOps(
            read=self._read_data,
            write=self._write_port,
            endianness=Endianness.LITTLE,
            valid=AccessSizes(accepts=_accepts_port),
        )
        dma = MemoryRegionOps(
            read=_read_signature,
            write=self._write_dma,
            endianness=Endianness.BIG,
            valid=AccessSizes(max=8, accepts=_accepts_dma),
            impl=AccessSizes(max=8),
        )
        return (
            Place(Space.IO, SELECTOR_PORT, IoRegion("fwcfg", 2, ports)),
            Place(Space.IO, DMA_PORT, IoRegion("fwcfg.dma", 8, dma)),
        )

    def save(self) -> FwCfgState:
        """Return what is selected, and the content of the files that the guest can write."""
        writable = {name: bytes(item.data) for name, item in self._files.items() if item.writable}
        self.state.written = writable
        return super().save()

    def load(self, state: FwCfgState) -> None:
        """Go on from there.

        Raises:
            ConfigError: the guest has written a file that is not there, or of another size.
        """
        for name, data in state.written.items() if isinstance(state.written, dict) else ():
            item = self._files.get(name)
            if item is None or not item.writable or len(item.data) != len(data):
                raise ConfigError(f"saved state of {self.title}: there is no such file {name!r}")
        super().load(state)
        for name, data in self.state.written.items():
            self._files[name].data[:] = data
        position = self.state.position
        self.select(self.state.key)
        self.state.position = position

    def reset(self) -> None:
        """Select item 0, the signature, as after power-on."""
        super().reset()
        self.select(0)

    # Selector and data port

    def select(self, key: int) -> None:
        """Choose the item that data and DMA accesses go to, from its first byte.

        A key with no item selects nothing: reads are 0. Bit 14 (write mode of old) is ignored.
        """
        self._selected = self._items.get((key & _KEY_MASK) | (key & KEY_ARCH_LOCAL))
        self._data = b"" if self._selected is None else self._selected.data
        self.state.key, self.state.position = key & 0xFFFF, 0

    def _read_data(self, _offset: int, _size: int) -> int:
        position = self.state.position
        if position < len(self._data):
            self.state.position = position + 1
            return self._data[position]
        return 0

    def _write_port(self, _offset: int, value: int, size: int) -> None:
        if size == 2:
            self.select(value)  # writes of data bytes ended with QEMU 2.4: ignored

    # DMA

    def _write_dma(self, offset: int, value: int, size: int) -> None:
        if size == 4 and offset == 0:
            self.state.dma_address = value << 32
            return
        address = value if size == 8 else self.state.dma_address | value
        self.state.dma_address = 0
        if self._dma is not None:
            self._transfer(self._dma, address)

    def _transfer(self, space: AddressSpace, request: int) -> None:
        header = bytearray(_DMA_REQUEST.size)
        done = space.read_into(request, header) is MemTxResult.OK
        if done:
            control, length, address = _DMA_REQUEST.unpack(header)
            if control & _DMA_SELECT:
                self.select(control >> 16)
            done = not length or self._move(space, control, address, length)
        space.write(request, _DMA_CONTROL.pack(0 if done else _DMA_ERROR))

    def _move(self, space: AddressSpace, control: int, address: int, length: int) -> bool:
        """Do what ``control`` asks, up to ``length`` bytes; False where it could not be done."""
        present = min(length, max(0, len(self._data) - self.state.position))
        start = self.state.position
        if control & _DMA_READ:
            self.state.position += present
            piece = bytes(self._data[start : start + present])
            if present and space.write(address, piece) is not MemTxResult.OK:
                return False
            rest = length - present
            return not rest or space.set(address + present, 0, rest) is MemTxResult.OK
        if control & _DMA_WRITE:
            return self._take(space, address, start, present, length)
        if control & _DMA_SKIP:
            self.state.position += present
        return True

    def _take(
        self, space: AddressSpace, address: int, start: int, present: int, length: int
    ) -> bool:
        """Copy a guest's buffer into the selected item, whole or not at all."""
        item = self._selected
        self.state.position += present
        if item is None or not item.writable or present != length:
            return False
        buffer = bytearray(length)
        if space.read_into(address, buffer) is not MemTxResult.OK:
            return False
        item.data[start : start + length] = buffer
        if item.on_write is not None:
            item.on_write(item.data)
        return True


def _accepts_port(_offset: int, size: int, is_write: bool, _attrs: MemTxAttrs) -> bool:
    return size == 1 or (is_write and size == 2)


def _accepts_dma(offset: int, size: int, is_write: bool, _attrs: MemTxAttrs) -> bool:
    return not is_write or (size == 4 and offset in (0, 4)) or (size == 8 and offset == 0)


def _read_signature(offset: int, size: int) -> int:
    return int.from_bytes(_DMA_SIGNATURE[offset : offset + size], "big")
