"""Whether a function takes the arguments that it will be called with: seen before it is called."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

_VARARGS: Final = 0x04  # inspect.CO_VARARGS, of a module that is imported late or never


def takes(function: Any, count: int) -> bool:
    """Tell whether a call with so many positional arguments fits; True where nobody can see it.

    What is written in Python can be seen, and a ``partial`` of that; what is written in C cannot.
    """
    if type(function) is partial:
        return bool(function.keywords) or takes(function.func, count + len(function.args))
    if not hasattr(function, "__code__") and hasattr(type(function).__call__, "__code__"):
        function = type(function).__call__.__get__(function)  # an object with such a method
    code = getattr(function, "__code__", None)
    if code is None:
        return True
    bound = 0 if getattr(function, "__self__", None) is None else 1
    most = code.co_argcount - bound
    least = most - len(function.__defaults__ or ())
    named = code.co_kwonlyargcount - len(function.__kwdefaults__ or ())
    return not named and least <= count and (count <= most or bool(code.co_flags & _VARARGS))
