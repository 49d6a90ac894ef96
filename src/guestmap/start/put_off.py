"""Modules that others import and do not use here are loaded when something of them is asked for."""

from __future__ import annotations

import sys
from importlib.util import find_spec, module_from_spec
from types import ModuleType
from typing import Any


class _PutOff(ModuleType):
    """A module that nobody has looked into.

    The library's ``LazyLoader`` loads a module at the second ``import`` of it already, which looks
    at its ``__spec__``; here what is there is simply found, and the rest loads the module.
    """

    def __getattr__(self, name: str) -> Any:
        spec = self.__spec__
        self.__class__ = ModuleType  # type: ignore[assignment]
        assert spec is not None
        assert spec.loader is not None
        spec.loader.exec_module(self)
        return getattr(self, name)


def put_off(name: str) -> None:
    """Have a module be loaded when something of it is asked for."""
    if name in sys.modules or (spec := find_spec(name)) is None:
        return
    module = module_from_spec(spec)
    module.__class__ = _PutOff
    sys.modules[name] = module
