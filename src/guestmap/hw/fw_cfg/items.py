"""What a machine puts into fw_cfg: items by number, and files by name with their directory."""

from __future__ import annotations

import struct
from dataclasses import field
from typing import TYPE_CHECKING, Annotated

from guestmap.base import ConfigError
from guestmap.base.bounds import Meta
from guestmap.base.dataclass import dataclass
from guestmap.hw.device import U16, U64, DeviceModel

if TYPE_CHECKING:
    from collections.abc import Callable

KEY_FILE_DIRECTORY = 0x19
KEY_FIRST_FILE = 0x20
FILE_SLOTS = 0x20
KEY_ARCH_LOCAL = 0x8000
_KEY_END = KEY_FIRST_FILE + FILE_SLOTS

_DIRECTORY_COUNT = struct.Struct(">I")
_DIRECTORY_ENTRY = struct.Struct(">IHH56s")  # size, key, reserved, name


@dataclass(slots=True)
class FwCfgEntry:
    """What is read under one key.

    Attributes:
        data: the content.
        writable: whether the guest may write it.
        on_write: called with the whole content after each write of the guest.
    """

    data: bytearray
    writable: bool = False
    on_write: Callable[[bytearray], None] | None = None


@dataclass(slots=True)
class FwCfgState:
    """Which item is being read and how far, half a DMA address, and what the guest has written."""

    key: U16 = 0
    position: Annotated[int, Meta(ge=0)] = 0
    dma_address: U64 = 0
    written: dict[str, bytes] = field(default_factory=dict)


class FwCfgContent(DeviceModel[FwCfgState]):
    """The items of the device."""

    def __init__(self) -> None:
        super().__init__(FwCfgState())
        self._items: dict[int, FwCfgEntry] = {}
        self._files: dict[str, FwCfgEntry] = {}

    def add_bytes(self, key: int, data: bytes) -> None:
        """Give item ``key`` its content; 8000h-803Fh are the architecture's own items.

        Raises:
            ConfigError: the key is out of range, or belongs to the file directory.
        """
        number = key & ~KEY_ARCH_LOCAL
        is_file = key == number and number >= KEY_FIRST_FILE
        if not 0 <= number < _KEY_END or is_file or key == KEY_FILE_DIRECTORY:
            raise ConfigError(f"fw_cfg item 0x{key:x} is not one that can be set by number")
        self._items[key] = FwCfgEntry(bytearray(data))

    def add_file(
        self,
        name: str,
        data: bytes,
        *,
        writable: bool = False,
        on_write: Callable[[bytearray], None] | None = None,
    ) -> None:
        """Add, or replace, a file; the directory keeps files sorted by name.

        Args:
            name: at most 55 ASCII characters, for example ``etc/e820``.
            data: the content.
            writable: the guest may write it through DMA (its length never changes).
            on_write: called with the whole content after each write of the guest.

        Raises:
            ConfigError: a name that is too long, or more than 32 files.
        """
        if not name.isascii() or not 0 < len(name) <= 55:
            raise ConfigError(f"fw_cfg file name {name!r} is not 1 to 55 ASCII characters")
        if name not in self._files and len(self._files) >= FILE_SLOTS:
            raise ConfigError(f"fw_cfg has no slot left for file {name!r}: {FILE_SLOTS} at most")
        self._files[name] = FwCfgEntry(bytearray(data), writable, on_write)
        self._number_files()

    @property
    def files(self) -> dict[str, int]:
        """File names in directory order, and the key of each."""
        return {name: KEY_FIRST_FILE + slot for slot, name in enumerate(sorted(self._files))}

    def item(self, key: int) -> bytes | None:
        """Return what item ``key`` holds, or None where there is none."""
        found = self._items.get(key)
        return None if found is None else bytes(found.data)

    def _number_files(self) -> None:
        for key in range(KEY_FIRST_FILE, _KEY_END):
            self._items.pop(key, None)
        directory = bytearray(_DIRECTORY_COUNT.pack(len(self._files)))
        for name, key in self.files.items():
            item = self._files[name]
            self._items[key] = item
            directory += _DIRECTORY_ENTRY.pack(len(item.data), key, 0, name.encode())
        self._items[KEY_FILE_DIRECTORY] = FwCfgEntry(directory)
