"""An audit for a notebook: Apache Parquet, a row for each machine, its findings a list in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from guestmap.base import ConfigError, whole_file
from guestmap.fleet.record import MachineAudit

_ROWS = 1000
"""Of a group: what is held before it is written."""
_FACTS = ("ram", "plugged", "used", "left", "largest", "slots_left")


def row_of(record: MachineAudit) -> dict[str, Any]:
    """Return a machine's row; facts of memory are None where it tells none.

    ``last`` is a finding's last address: the one after it may be 2**64, which no column holds.
    """
    memory = record.memory
    return {
        "machine": record.machine,
        "host": record.host,
        "source": record.source,
        "labels": sorted(record.labels.items()),
        "state": record.state,
        "error": record.error,
        "version": record.version,
        "seconds": record.seconds,
        "digest": record.digest,
        **{name: None if memory is None else getattr(memory, name) for name in _FACTS},
        "slots": None if memory is None else len(memory.slots),
        "orphans": None if memory is None else list(memory.orphans),
        "findings": [
            {
                "code": each.code,
                "severity": each.severity,
                "space": each.space,
                "start": each.start,
                "last": max(each.start, each.end - 1),
                "message": each.message,
            }
            for each in record.findings
        ],
    }


class ParquetRows:
    """Takes records, and writes them group by group."""

    def __init__(self, writer: Any, schema: Any) -> None:
        self._writer = writer
        self._schema = schema
        self._rows: list[dict[str, Any]] = []

    def add(self, record: MachineAudit) -> None:
        """Take a machine."""
        self._rows.append(row_of(record))
        if len(self._rows) >= _ROWS:
            self.flush()

    def flush(self) -> None:
        """Write what was taken."""
        import pyarrow

        if self._rows:
            self._writer.write_table(pyarrow.Table.from_pylist(self._rows, schema=self._schema))
            self._rows = []


@contextmanager
def parquet_file(path: Path) -> Iterator[ParquetRows]:
    """Have a file for rows; it is there when all are.

    Raises:
        ConfigError: pyarrow is not installed.
        HostError: the file cannot be written.
    """
    try:
        from pyarrow import parquet
    except ModuleNotFoundError as error:
        raise ConfigError(
            "Parquet needs pyarrow, which is not installed: pip install 'guestmap[parquet]'"
        ) from error
    schema = _schema()
    with whole_file(path) as file, parquet.ParquetWriter(file, schema) as writer:
        rows = ParquetRows(writer, schema)
        yield rows
        rows.flush()


def _schema() -> Any:
    import pyarrow as pa

    text = pa.string()
    finding = pa.struct([
        ("code", text), ("severity", text), ("space", text), ("start", pa.uint64()),
        ("last", pa.uint64()), ("message", text),
    ])  # fmt: skip
    return pa.schema([
        ("machine", text), ("host", text), ("source", text), ("labels", pa.map_(text, text)),
        ("state", text), ("error", text), ("version", text), ("seconds", pa.float64()),
        ("digest", text), *((name, pa.uint64()) for name in _FACTS), ("slots", pa.uint32()),
        ("orphans", pa.list_(text)), ("findings", pa.list_(finding)),
    ])  # fmt: skip
