"""The initramfs in which this very Python and this project run a command beside a /dev/kvm.

Modules are compiled beforehand: there it would take ten times as long as running them.
"""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import sysconfig
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.initramfs import Initramfs
from tests.support.linux_guest import PARTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ROOT = Path(__file__).parents[2]
_NOT_NEEDED = {
    "test", "idlelib", "tkinter", "ensurepip", "site-packages", "dist-packages", "lib2to3",
    "turtledemo", "pydoc_data", "distutils", "__pycache__",
}  # fmt: skip
_MODULES = ("irqbypass", "kvm", "kvm-amd")
_FIRMWARE = ("/usr/share/seabios/bios-256k.bin", "/usr/share/qemu/bios-256k.bin")

_INIT = """#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
ln -s /proc/self/fd /dev/fd
exec </dev/console >/dev/console 2>&1
for each in {modules}; do insmod /modules/$each.ko; done
cd {root}
export PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PYTHONPATH={path} HOME=/tmp GUESTMAP_KVM=1
{command}
echo "-- done $? --"
poweroff -f
"""


class KvmInitramfs(Initramfs):
    """Busybox, KVM's modules, this Python, and what is added; files are where they are here.

    Args:
        command: a line of shell, run in the project's folder; its status is printed last.
        linux: where the modules of the guest's kernel are.
    """

    def __init__(self, command: str, linux: Path) -> None:
        super().__init__()
        for name in ("proc", "sys", "dev", "tmp"):
            self.folder(name)
        self.add_file("bin/busybox", busybox())
        for name in _MODULES:
            found = next(linux.glob(f"lib/modules/**/{name}.ko*"))
            self.add_file(f"modules/{found.name}", found)
        path = f"{ROOT}/src:{ROOT}:{sysconfig.get_path('purelib')}"
        init = _INIT.format(modules=" ".join(_MODULES), root=ROOT, path=path, command=command)
        self.add("init", init.encode())
        self._add_python()
        firmware = next((Path(each) for each in _FIRMWARE if Path(each).exists()), None)
        if firmware is not None:
            self.add_here(firmware)

    def _add_python(self) -> None:
        library = Path(sysconfig.get_path("stdlib"))
        for item in library.iterdir():
            if item.name not in _NOT_NEEDED and not item.name.startswith("config-"):
                self.add_tree(item)
        python = Path(sys.executable).resolve()
        self.add_here(python)
        self.link("bin/python3", str(python))

    def add_here(self, path: Path, content: Path | None = None) -> None:
        """Add a file where it is here, with the libraries that it needs, or a module's code.

        Args:
            path: where it goes.
            content: where it is, if not there.
        """
        source = (content or path).resolve()
        self.add(inner(path), data := source.read_bytes())
        if path.suffix == ".py" and (code := _compiled(data, str(path))):
            name = f"{path.stem}.{sys.implementation.cache_tag}.pyc"
            self.add(inner(path.parent / "__pycache__" / name), code)
        if data.startswith(b"\x7fELF"):
            for each in _libraries(source):
                self.add_file(inner(Path(each)), Path(each).resolve())

    def add_tree(self, top: Path) -> None:
        """Add a file, or all files below a folder."""
        for each in [top] if top.is_file() else top.rglob("*"):
            if each.is_file() and _is_wanted(each):
                self.add_here(each)

    def add_packages(self, names: Iterable[str]) -> None:
        """Add installed packages; what is not installed is left out."""
        for name in names:
            for each in _files_of(name):
                if _is_wanted(each):
                    self.add_here(each)


def _is_wanted(path: Path) -> bool:
    return "__pycache__" not in path.parts and path.suffix not in {".pyc", ".a", ".exe"}


def _files_of(package: str) -> Iterator[Path]:
    for each in metadata.files(package) or ():
        source = Path(str(each.locate()))
        if source.is_file() and ".." not in each.parts:
            yield source


def _compiled(content: bytes, path: str) -> bytes:
    """Return a module compiled, in a form whose source is not looked at; b"" where it cannot be."""
    from importlib._bootstrap_external import _code_to_hash_pyc  # type: ignore[attr-defined]

    try:
        code = compile(content, path, "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        return b""
    return bytes(_code_to_hash_pyc(code, importlib.util.source_hash(content), False))


@cache
def _libraries(program: Path) -> frozenset[str]:
    text = subprocess.run(["ldd", program], capture_output=True, text=True, check=False).stdout
    return frozenset(re.findall(r"(?:=> )?(/\S+) \(0x", text))


def busybox() -> Path:
    """Return the guest's busybox."""
    return next(p for top in ("usr/bin", "bin") if (p := PARTS / top / "busybox").exists())


def inner(path: Path) -> str:
    """Return the path of a file there."""
    return str(path).lstrip("/")
