"""Finding our own modules in one look: a module's name says which file it is.

For each module Python asks every way there is of finding one, tries each ending that a module's
file may have, and works out twice where its byte code is. For the four hundred modules of a machine
that is a fourth of what importing them takes. Here the file is looked at once, and byte code that
says it was made of just that file is used; all else is left to the library.
"""

from __future__ import annotations

import marshal
import os
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import MAGIC_NUMBER, cache_from_source
from types import CodeType, ModuleType
from typing import Final

_PACKAGE: Final = __name__.partition(".")[0]
_CHECKED_BY_TIME: Final = MAGIC_NUMBER + bytes(4)
_WORD: Final = 0xFFFFFFFF
_USUAL: Final = 1 << 16
"""Bytes that a file of byte code has at most, nearly always."""


def find_in_one_look() -> None:
    """Have the modules of this package be found so from now on, in this process.

    It does nothing where the package is not a folder of files, or byte code is kept elsewhere.
    """
    loader = sys.modules[_PACKAGE].__spec__.loader  # type: ignore[union-attr]
    if type(loader) is SourceFileLoader and sys.pycache_prefix is None:
        sys.meta_path.insert(0, _Finder())


class _Finder:
    def __init__(self) -> None:
        folder, _, self._ending = cache_from_source("_.py").rpartition("_.")
        self._beside = folder

    def find_spec(
        self, name: str, path: Sequence[str] | None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return where a module of ours is; None for others, and where there is no such file."""
        if path is None or not name.startswith(_PACKAGE):
            return None
        _, _, tail = name.rpartition(".")
        folder = path[0]
        for inside, stem in ((folder, tail), (f"{folder}/{tail}", "__init__")):
            file, byte_code = f"{inside}/{stem}.py", f"{inside}/{self._beside}{stem}.{self._ending}"
            try:
                seen = os.stat(file)
            except OSError:
                continue
            spec = ModuleSpec(name, _Loader(name, file, byte_code, seen), origin=file)
            if inside != folder:
                spec.submodule_search_locations = [inside]
            spec.has_location = True
            spec.cached = byte_code
            return spec
        return None


class _Loader(SourceFileLoader):
    def __init__(self, name: str, file: str, byte_code: str, seen: os.stat_result) -> None:
        super().__init__(name, file)
        self._byte_code = byte_code
        self._seen = seen

    def get_code(self, fullname: str) -> CodeType | None:
        """Return the code of a module.

        Raises:
            ImportError, OSError, SyntaxError: as the library does.
        """
        made_of = int(self._seen.st_mtime) & _WORD | (self._seen.st_size & _WORD) << 32
        try:
            data = _content(self._byte_code)
            if data.startswith(_CHECKED_BY_TIME + made_of.to_bytes(8, "little")):
                code: CodeType = marshal.loads(memoryview(data)[16:])
                if code.co_filename == self.path:
                    return code
        except (OSError, EOFError, ValueError, TypeError):
            pass
        return super().get_code(fullname)


def _content(path: str) -> bytes:
    """Return what is in a file; a stream of Python's asks the host four times as much.

    Raises:
        OSError: it cannot be read.
    """
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        data = os.read(file, _USUAL)
        while len(data) >= _USUAL and (more := os.read(file, _USUAL)):
            data += more
    finally:
        os.close(file)
    return data
