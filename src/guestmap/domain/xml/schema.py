"""libvirt's own RELAX NG schema, if the distribution has it: asked last, for it explains badly."""

from __future__ import annotations

import os
from pathlib import Path

from guestmap.base import UnsupportedError
from guestmap.domain.rules.errors import DomainError
from guestmap.domain.rules.texts import XML_DETAIL

_VARIABLE = "GUESTMAP_LIBVIRT_SCHEMA"
_USUAL = "/usr/share/libvirt/schemas/domain.rng"


def schema_file() -> Path:
    """Return where the schema is, or would be: ``GUESTMAP_LIBVIRT_SCHEMA`` names another file."""
    return Path(os.environ.get(_VARIABLE) or _USUAL)


def check_schema(data: bytes, schema: Path | None = None) -> bool:
    """Hold a definition to libvirt's schema; tell whether there is one.

    Args:
        data: a document that was read before: it has no DOCTYPE.
        schema: the file; None: that of :func:`schema_file`.

    Raises:
        DomainError: the schema refuses it; names the line.
        UnsupportedError: lxml, which reads schemas, is not installed.
    """
    schema = schema or schema_file()
    if not schema.is_file():
        return False
    try:
        from lxml import etree
    except ModuleNotFoundError as error:
        raise UnsupportedError(
            "libvirt's schema needs the Python package lxml: pip install 'guestmap[domain]'"
        ) from error
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    rules = etree.RelaxNG(etree.parse(str(schema), parser))
    if not rules.validate(etree.fromstring(data, parser)):
        first = rules.error_log[0] if rules.error_log else None
        line, told = (first.line, first.message) if first else (1, "no reason given")
        raise DomainError(
            XML_DETAIL,
            f"XML document failed to validate against schema: line {line}: {told}",
            remedy="libvirt's schema names the first element that does not fit, not always the"
            " wrong one",
        )
    return True
