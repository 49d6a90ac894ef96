"""The text of QEMU's ``info roms``: the images that its loader keeps, to put them there at a reset.

One line for each image, which says where it goes (hw/core/loader.c): to an address, into a region,
or into a file of fw_cfg, through which firmware reads it.
"""

from __future__ import annotations

import re
from typing import Literal

from guestmap.base import PeerError
from guestmap.base.dataclass import dataclass

Destination = Literal["address", "region", "fw_cfg"]

_LINE = re.compile(
    r"(?:addr=(?P<addr>[0-9a-f]{1,16})|fw=(?P<file>.+)|(?P<region>.+))"
    r" size=0x(?P<size>[0-9a-f]{1,16})(?: mem=(?:ram|rom))? name=\"(?P<name>.*)\""
)
_PASSED_OVER = re.compile(r"\s*|\(qemu\).*|info roms")


@dataclass(frozen=True, slots=True)
class LoadedImage:
    """An image of the loader's.

    Attributes:
        name: what it is called: often the file's name.
        size: bytes.
        to: what it is loaded to.
        address: guest-physical; None where it goes elsewhere.
        target: the region's or fw_cfg file's name; "" where it goes to an address.
    """

    name: str
    size: int
    to: Destination
    address: int | None = None
    target: str = ""


def read_info_roms(text: str) -> tuple[LoadedImage, ...]:
    r"""Read the output of ``info roms``; lines may end in ``\n`` or ``\r\n``.

    Raises:
        PeerError: a line is of no such form; says its number.
    """
    found = []
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), 1):
        matched = _LINE.fullmatch(line)
        if matched is not None:
            found.append(_image(matched))
        elif not _PASSED_OVER.fullmatch(line):
            raise PeerError(
                f"info roms text, line {number}: expected 'addr=, fw= or a region, size=, name=',"
                f" found {line[:120]!r}"
            )
    return tuple(found)


def _image(line: re.Match[str]) -> LoadedImage:
    name, size = line["name"], int(line["size"], 16)
    if line["addr"] is not None:
        return LoadedImage(name, size, "address", int(line["addr"], 16))
    if line["file"] is not None:
        return LoadedImage(name, size, "fw_cfg", target=line["file"])
    return LoadedImage(name, size, "region", target=line["region"])
