"""Ten faults in the monitor, each noticed by a test beside this file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.planted import Fault, is_noticed

if TYPE_CHECKING:
    from pathlib import Path

CLIENT, SERVER, HELD = "monitor/test_client.py", "monitor/test_server.py", "monitor/test_held_up.py"
FAULTS = [
    Fault("monitor/client.py", "if self._has_taken:\n", "if not self._has_taken:\n", CLIENT),
    Fault("monitor/client.py", "            self._unread += len(event)\n", "", CLIENT),
    Fault("monitor/client.py", "if self._busy or self._scheduled or not self._waiting",
          "if self._scheduled or not self._waiting", CLIENT),
    Fault("monitor/client.py", "        behind = self._arriving is not None\n",
          "        behind = False\n", CLIENT),
    Fault("monitor/turns.py", "self._readers.appendleft(reader)", "self._readers.append(reader)",
          CLIENT),
    Fault("monitor/hub.py", "LIMITS = Limits(tokens=1 << 20)", "LIMITS = Limits()", HELD),
    Fault("monitor/hub.py", "len(self._clients) <= MAX_CLIENTS", "len(self._clients) < MAX_CLIENTS",
          "monitor/test_hostile.py"),
    Fault("monitor/rate.py", "window.kept, window.until = None, now + window.interval_s",
          "window.kept, window.until = None, now", "monitor/test_rate.py"),
    Fault("monitor/linear.py", "0x1FE000) << 19", "0x1FE000) << 18", "monitor/test_linear.py"),
    Fault("monitor/address.py", 'name == "wait" and value in _ON', 'name == "wait" and not value',
          "monitor/test_address.py"),
]  # fmt: skip


@pytest.mark.long
@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_a_planted_fault_is_noticed(fault: Fault, tmp_path: Path) -> None:
    assert is_noticed(fault, tmp_path)
