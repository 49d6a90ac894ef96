#!/usr/bin/env python3
"""Writes the table that probes are answered from, from what the monitor says.

.venv/bin/python tools/probe_table.py
"""

from __future__ import annotations

from guestmap.system.probe.answers import table
from guestmap.system.probe.server import TABLE

if __name__ == "__main__":
    TABLE.write_bytes(table())
