#!/usr/bin/env python3
"""Writes the tables that probes are answered from, from what the monitor says.

.venv/bin/python tools/probe_table.py
"""

from __future__ import annotations

from guestmap.monitor.claim import CLAIMS
from guestmap.system.probe.asking import kvm_table, table
from guestmap.system.probe.claimed import kvm_path, table_path

if __name__ == "__main__":
    for claim in CLAIMS:
        table_path(claim.name).write_bytes(table(claim.name))
        kvm_path(claim.name).write_bytes(kvm_table(claim.name))
