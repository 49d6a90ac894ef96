"""Modules that others import and do not use here are loaded when something of them is asked for."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.util import find_spec, module_from_spec
from types import ModuleType
from typing import Any


class _PutOff(ModuleType):
    """A module that nobody has looked into.

    The library's ``LazyLoader`` loads a module at the second ``import`` of it already, which looks
    at its ``__spec__``; here what is there is simply found, and the rest loads the module.
    """

    def __getattr__(self, name: str) -> Any:
        if name == "__path__":  # asked for by each "from ... import"; only a package has it, then
            raise AttributeError(name)
        _load(self)
        return getattr(self, name)


def put_off(name: str, *functions: str) -> None:
    """Have a module be loaded when something of it is asked for.

    Args:
        name: of the module.
        functions: that others take out of it as they are imported: calling one loads it, too.
    """
    if name in sys.modules or (spec := find_spec(name)) is None:
        return
    module = module_from_spec(spec)
    module.__class__ = _PutOff
    for each in functions:
        setattr(module, each, _stand_in(module, each))
    sys.modules[name] = module
    package, _, own = name.rpartition(".")
    if package:
        setattr(sys.modules[package], own, module)


def _stand_in(module: ModuleType, name: str) -> Callable[..., Any]:
    def function(*args: Any, **named: Any) -> Any:
        _load(module)
        return getattr(module, name)(*args, **named)

    return function


def _load(module: ModuleType) -> None:
    if module.__class__ is not _PutOff:
        return
    spec = module.__spec__
    module.__class__ = ModuleType  # type: ignore[assignment]
    assert spec is not None
    assert spec.loader is not None
    spec.loader.exec_module(module)
