"""Code in AML: the statements and expressions of methods.

ACPI specification 6.5, sections 20.2.5.3 (statements), 20.2.5.4 (expressions), 20.2.6 (arguments
and locals). Functions carry the names of the ASL operators they stand for.
"""

from __future__ import annotations

from guestmap.firmware.acpi.aml.encoding import Term, name_string, packed, term, terms

FOREVER = 0xFFFF
"""A timeout of ``Acquire`` that never ends."""

_NO_TARGET = b"\x00"


def local(number: int) -> bytes:
    """``Local0`` to ``Local7``.

    Raises:
        ValueError: there is no such variable.
    """
    if not 0 <= number <= 7:
        raise ValueError(f"there is no Local{number}")
    return bytes([0x60 + number])


def arg(number: int) -> bytes:
    """``Arg0`` to ``Arg6``.

    Raises:
        ValueError: there is no such argument.
    """
    if not 0 <= number <= 6:
        raise ValueError(f"there is no Arg{number}")
    return bytes([0x68 + number])


def call(path: str, *arguments: Term) -> bytes:
    """Call a method."""
    return name_string(path) + terms(arguments)


def store(value: Term, target: Term) -> bytes:
    """``Store``: target = value."""
    return b"\x70" + term(value) + term(target)


def add(left: Term, right: Term, target: Term = _NO_TARGET) -> bytes:
    """``Add``, with the sum stored where there is a target."""
    return b"\x72" + term(left) + term(right) + term(target)


def subtract(left: Term, right: Term, target: Term = _NO_TARGET) -> bytes:
    """``Subtract``, with the difference stored where there is a target."""
    return b"\x74" + term(left) + term(right) + term(target)


def bit_and(left: Term, right: Term, target: Term = _NO_TARGET) -> bytes:
    """``And``, with the result stored where there is a target."""
    return b"\x7b" + term(left) + term(right) + term(target)


def increment(target: Term) -> bytes:
    """``Increment``."""
    return b"\x75" + term(target)


def equal(left: Term, right: Term) -> bytes:
    """``LEqual``."""
    return b"\x93" + term(left) + term(right)


def less(left: Term, right: Term) -> bytes:
    """``LLess``."""
    return b"\x95" + term(left) + term(right)


def if_(condition: Term, *body: Term) -> bytes:
    """``If``."""
    return b"\xa0" + packed(term(condition) + terms(body))


def else_(*body: Term) -> bytes:
    """``Else`` to the ``If`` before it."""
    return b"\xa1" + packed(terms(body))


def while_(condition: Term, *body: Term) -> bytes:
    """``While``."""
    return b"\xa2" + packed(term(condition) + terms(body))


def return_(value: Term) -> bytes:
    """``Return``."""
    return b"\xa4" + term(value)


def notify(target: Term, value: Term) -> bytes:
    """``Notify``: tell the operating system's driver of a device."""
    return b"\x86" + term(target) + term(value)


def acquire(mutex: str, timeout: int = FOREVER) -> bytes:
    """``Acquire`` a mutex."""
    return b"\x5b\x23" + name_string(mutex) + timeout.to_bytes(2, "little")


def release(mutex: str) -> bytes:
    """``Release`` a mutex."""
    return b"\x5b\x27" + name_string(mutex)
